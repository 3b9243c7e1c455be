"""From raw files to documents that can be accounted for: readers, dedup, split, card.

Knows text and files; knows nothing of tensors or tokens.
"""
