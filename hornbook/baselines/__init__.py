"""Cheap baselines: what any model must beat to be worth its cost, on the same axis.

Knows text and token ids; knows nothing of models.
"""
