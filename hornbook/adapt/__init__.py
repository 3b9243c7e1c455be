"""Surgery on a built model: what stays as it is, what may move, and small matrices beside large.

Knows layers and families; knows nothing of training or of what a model is tuned for.
"""
