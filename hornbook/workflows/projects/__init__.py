"""The kinds of run: what of the life of a run differs between them. No kind knows another."""
