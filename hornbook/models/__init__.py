"""Families, which only wire layers together; presets, which read like diagrams; folders on disk.

Knows layers and file formats; knows nothing of training or sampling.
"""
