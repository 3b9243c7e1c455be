"""Objectives, optimisers, schedules, the loop, its hooks and checkpoints, the dial, the forecast.

Sees a model only through an objective. Knows nothing of commands, reports or particular corpora.
"""
