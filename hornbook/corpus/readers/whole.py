"""Formats that can only be read whole are held in memory, up to a bound."""

from typing import BinaryIO

from hornbook.corpus.documents import Rejection

LARGEST_FILE = 512 * 2**20
"""Bytes of a PDF, Word or HTML file: larger ones are left out by name instead of filling memory."""


def read_whole(stream: BinaryIO, source: str) -> bytes | Rejection:
    """All bytes of the stream, or a rejection when they are too many."""
    data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        return Rejection(source, None, "file too large", f"over {LARGEST_FILE // 2**20} MiB")
    return data
