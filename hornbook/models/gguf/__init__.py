"""GGUF files, the format of llama.cpp and what builds on it, as models of ours and back.

Knows configs, names and types of tensors; bytes are `core.gguf`'s, text is `tokenize.gguf`'s.
"""
