"""Translation, learned from pairs."""
