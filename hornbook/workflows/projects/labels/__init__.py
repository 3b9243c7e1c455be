"""Tuning a backbone, or training one afresh, to label texts."""
