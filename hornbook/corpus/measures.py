"""What a card says of the kept text: lengths and scripts, counted as the documents pass by."""

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from hornbook.read.documents import NOTED

_SCRIPTS = (
    (0x41, "Latin"),
    (0x5B, "signs"),
    (0x61, "Latin"),
    (0x7B, "signs"),
    (0xC0, "Latin"),
    (0x250, "other"),
    (0x370, "Greek"),
    (0x400, "Cyrillic"),
    (0x530, "other"),
    (0x590, "Hebrew"),
    (0x600, "Arabic"),
    (0x780, "other"),
    (0x900, "Devanagari"),
    (0x980, "other"),
    (0xE00, "Thai"),
    (0xE80, "other"),
    (0x1E00, "Latin"),
    (0x1F00, "Greek"),
    (0x2000, "signs"),
    (0x3040, "Kana"),
    (0x3100, "other"),
    (0x3400, "Han"),
    (0xA000, "other"),
    (0xAC00, "Hangul"),
    (0xD7B0, "other"),
    (0xF900, "Han"),
    (0xFB00, "signs"),
    (0x20000, "Han"),
    (0x32000, "other"),
)
"""Where the Unicode blocks of a script begin; letters below the first are signs and digits."""
_STARTS = np.array([start for start, _ in _SCRIPTS])
_NAMES = ["signs", *(name for _, name in _SCRIPTS)]


_PIECE = 2**20
"""Bytes beyond ASCII looked up together: numpy needs eight times the memory."""


class TextMeasures:
    """Counts characters by script, documents by length, and fields that texts were taken from."""

    def __init__(self) -> None:
        self.characters = 0
        self.fields: Counter[str] = Counter()
        self._noted: dict[str, Counter[str]] = {name: Counter() for name in NOTED}
        self._scripts = np.zeros(len(_NAMES), np.int64)
        self._lengths: Counter[int] = Counter()

    def add(self, texts: Any, metadata: Any) -> None:
        """Count documents, given as Arrow's columns of strings."""
        import pyarrow.compute as compute

        for chunk in texts.chunks:
            self._count(_bytes_of(chunk))
        lengths = compute.utf8_length(texts).to_numpy()
        self.characters += int(lengths.sum())
        # The exponent of a float is the number of bits of its whole part.
        bits = np.bincount(np.frexp(lengths)[1]).tolist()
        self._lengths.update({b: count for b, count in enumerate(bits) if count})
        fields = (one["text_field"] for one in _with_key(metadata, "text_field"))
        self.fields.update(str(field) for field in fields if field is not None)
        for name, counter in self._noted.items():
            for one in _with_key(metadata, name):
                counter.update(documents=1, count=_amount(one[name]))

    def _count(self, data: np.ndarray) -> None:
        """Count the characters of UTF-8 by script."""
        # Bytes are compared a hundred times as fast as characters are looked up.
        letters = np.count_nonzero((data | 32) - np.uint8(ord("a")) < 26)
        beyond = data[data >= 128]
        self._scripts[_NAMES.index("Latin")] += letters
        self._scripts[_NAMES.index("signs")] += len(data) - len(beyond) - letters
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start in range(0, len(beyond), _PIECE):
            text = decoder.decode(beyond[start : start + _PIECE].tobytes())
            points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
            places = np.searchsorted(_STARTS, points, side="right")
            self._scripts += np.bincount(places, minlength=len(_NAMES))

    def merge(self, other: "TextMeasures") -> None:
        """Count what another one counted."""
        self.characters += other.characters
        self.fields += other.fields
        for name, counter in self._noted.items():
            counter.update(other._noted[name])
        self._scripts += other._scripts
        self._lengths += other._lengths

    def scripts(self) -> dict[str, float]:
        """Share of each script among the characters that are no signs or digits, largest first."""
        found: Counter[str] = Counter()
        for name, count in zip(_NAMES, self._scripts.tolist(), strict=True):
            found[name] += count
        del found["signs"]
        letters = max(1, found.total())
        return {name: count / letters for name, count in found.most_common() if count}

    def lengths(self) -> list[dict[str, int]]:
        """Documents with from <= characters < to, in powers of two."""
        bins = range(min(self._lengths), max(self._lengths) + 1) if self._lengths else ()
        return [{"from": 2**b // 2, "to": 2**b, "documents": self._lengths[b]} for b in bins]

    def facts(self) -> dict[str, Any]:
        """characters, scripts, lengths, fields by how many texts came from them, and what readers
        noted: in how many documents, and how often."""
        return {
            "characters": self.characters,
            "scripts": self.scripts(),
            "lengths": self.lengths(),
            "fields": dict(self.fields.most_common()),
            "noted": {name: dict(noted) for name, noted in self._noted.items() if noted},
        }


def _with_key(metadata: Any, key: str) -> Iterator[dict[str, Any]]:
    """The metadata of the documents that have this key, from a column of JSON."""
    import pyarrow.compute as compute

    few = metadata.filter(compute.match_substring(metadata, f'"{key}"'))
    return (one for one in map(json.loads, few.to_pylist()) if key in one)


def _amount(value: Any) -> int:
    """A count, or how many are listed; whoever made the metadata may have meant something else."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) else 0


def _bytes_of(strings: Any) -> np.ndarray:
    """(B,) uint8: the UTF-8 of an Arrow array of large strings, joined."""
    _, places, data = strings.buffers()
    if data is None:  # no string has any
        return np.zeros(0, np.uint8)
    edges = np.frombuffer(places, np.int64)[strings.offset : strings.offset + len(strings) + 1]
    return np.frombuffer(data, np.uint8)[edges[0] : edges[-1]]
