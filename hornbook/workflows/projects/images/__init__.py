"""A Transformer for labelled images."""
