"""One layer contract and the small layers that keep it.

Shapes here: B batch rows, T time, S keys, D width, H heads, C channels of a head, V vocabulary.
Knows tensors; knows nothing of text, files, families or training.
"""
