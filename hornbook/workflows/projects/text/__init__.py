"""Pretraining on text: go on with it, or fill in words."""
