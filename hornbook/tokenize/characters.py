"""How many characters a text is written in, which its tokenizer should know whole.

Knows text; knows nothing of tokenizers.
"""

from collections.abc import Iterable

import numpy as np

SHARE = 0.97
"""Of all characters; the rarest of a Chinese text are half of its kinds and seen once or twice."""
_SAMPLE = 4 * 2**20
"""Characters that are looked at, the first ones."""


def frequent_characters(texts: Iterable[str]) -> int:
    """How many characters beyond ASCII are needed to write `SHARE` of the texts."""
    counts, seen = np.zeros(0x110000, np.int64), 0
    for text in texts:
        points = np.frombuffer(text[: _SAMPLE - seen].encode("utf-32-le", "replace"), np.uint32)
        counts += np.bincount(points, minlength=len(counts))
        seen += len(points)
        if seen >= _SAMPLE:
            break
    missing = SHARE * seen - counts[:128].sum()
    if missing <= 0:
        return 0
    often = np.sort(counts[128:])[::-1]
    return int(np.searchsorted(np.cumsum(often), missing)) + 1
