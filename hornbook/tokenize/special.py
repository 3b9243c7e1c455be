"""The special tokens of tokenizers trained here.

Their ids come first. Padding is a token of its own, never the end of a document: a model that is
taught to ignore padding must still learn to stop.
"""

END_OF_TEXT = "<|endoftext|>"
"""Ends every document in training, and free generation."""
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
"""Ends every message of a conversation, and a chat answer."""
PAD = "<|pad|>"

SPECIAL = (END_OF_TEXT, TURN_START, TURN_END, PAD)
