"""Bytes to documents: where sources lie, what packs them, one file a format."""
