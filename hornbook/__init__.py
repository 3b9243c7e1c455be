"""Hornbook: build, understand and use a language model of your own.

Importing this package imports nothing heavy; reach into the subpackages for the parts.
"""

__version__ = "0.1.0"
