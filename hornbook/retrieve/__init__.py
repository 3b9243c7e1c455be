"""Finding passages in documents: one SQLite file decides, words and vectors are derived from it.

Knows texts, words and places; knows nothing of files, commands or models.
"""
