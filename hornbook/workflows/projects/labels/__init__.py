"""Tuning a body, or training one afresh, to label texts."""
