"""Tuning a decoder to answer: instructions, texts of a domain, preferences."""
