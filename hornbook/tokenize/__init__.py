"""Text to token ids and back: train, load, encode in bulk, chat templates, measures.

Knows text and ids; knows nothing of tensors or models.
"""
