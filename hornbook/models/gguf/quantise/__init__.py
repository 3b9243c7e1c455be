"""Floats as the quantised types of GGUF: the search for scales, blocks, their bytes."""
