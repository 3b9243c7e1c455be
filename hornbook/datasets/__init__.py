"""Rows that people bring: labelled texts, pairs, conversations, images; one door to all tables."""
