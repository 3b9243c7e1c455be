"""How many characters a text is written in, which its tokenizer should know whole."""

from collections.abc import Iterable, Iterator

import numpy as np

SHARE = 0.97
"""Of all characters; the rarest of a Chinese text are half of its kinds and seen once or twice."""
_SAMPLE = 4 * 2**20
"""Characters that are looked at, the first ones."""
_AT_ONCE = 2**18
"""Characters that are counted together: each count goes through all of Unicode."""


def frequent_characters(texts: Iterable[str]) -> int:
    """How many characters beyond ASCII are needed to write `SHARE` of the texts."""
    counts = np.zeros(0x110000, np.int64)
    for piece in _pieces(texts):
        points = np.frombuffer(piece.encode("utf-32-le", "replace"), np.uint32)
        counts += np.bincount(points, minlength=len(counts))
    missing = SHARE * counts.sum() - counts[:128].sum()
    if missing <= 0:
        return 0
    often = np.sort(counts[128:])[::-1]
    return int(np.searchsorted(np.cumsum(often), missing)) + 1


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The first `_SAMPLE` characters, short texts put together."""
    waiting: list[str] = []
    size, left = 0, _SAMPLE
    for text in texts:
        waiting.append(text[:left])
        size, left = size + len(waiting[-1]), left - len(waiting[-1])
        if size >= _AT_ONCE or not left:
            yield "".join(waiting)
            waiting, size = [], 0
        if not left:
            return
    yield "".join(waiting)
