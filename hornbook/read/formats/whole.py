"""Formats that can only be read whole are held in memory, up to a bound."""

from typing import BinaryIO

from hornbook.core.guarded import step
from hornbook.read.documents import Rejection


def read_whole(stream: BinaryIO, source: str, most: int) -> bytes | Rejection:
    """All bytes of the stream, or a rejection when they are more than `most`.

    What is made of them is a step under limits.
    """
    data = stream.read(most + 1)
    if len(data) > most:
        detail = f"over {most // 2**20} MiB, the most that is held in memory for this format"
        return Rejection(source, None, "file too large", detail)
    fault = step(len(data))
    return Rejection(source, None, *fault) if fault else data
