"""Measurements against real peers in the same run; each prints one JSON object."""
