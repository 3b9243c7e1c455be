"""Metrics of finished models, with intervals.

Knows outputs and references; knows nothing of how they came about.
"""
