"""Bits per byte of general compressors, which are language models of a kind (Delétang et al.
2024).
"""

import lzma
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

XZ_REACH = 48 * 2**20
"""Bytes of training text shown to xz: within the 64 MiB that `xz -9` can look back."""


def gzip_bits_per_byte(texts: Iterable[str]) -> float:
    """Size under `gzip -9`, in bits, over the bytes of the texts."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    size = total = 0
    for text in texts:
        data = text.encode("utf-8")
        total += len(data)
        size += len(compressor.compress(data))
    return 8 * (size + len(compressor.flush())) / total


def xz_bits_per_byte(texts: Iterable[str]) -> float:
    """Size under `xz -9`, in bits, over the bytes of the texts."""
    data = "".join(texts).encode("utf-8")
    return 8 * _xz_size(data) / len(data)


def xz_given_bits_per_byte(
    training: Iterable[str], texts: Iterable[str], reach: int = XZ_REACH
) -> tuple[float, int]:
    """What the texts add to the size under `xz -9` of the training text before them.

    At most the last `reach` bytes of the training text are shown; returns also how many were.
    """
    shown = bytearray()
    for text in training:
        shown += text.encode("utf-8")
        if len(shown) > 2 * reach:
            del shown[:-reach]
    before = bytes(shown[-reach:])
    data = "".join(texts).encode("utf-8")
    with ThreadPoolExecutor(2) as pool:  # lzma works outside Python's lock
        alone, together = pool.map(_xz_size, (before, before + data))
    return 8 * (together - alone) / len(data), len(before)


def _xz_size(data: bytes) -> int:
    return len(lzma.compress(data, preset=9))
