"""Tuning a decoder on what programs reward: quotes that are verbatim, JSON that fits, right
answers."""
