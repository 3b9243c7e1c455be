"""A batch of documents as one array of bytes, cut into words and lines all at once.

What rules count, they count here for the whole batch: with arrays instead of loops, at tens of
megabytes a second. Knows UTF-8; knows nothing of rules.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

_SPACE = np.zeros(256, bool)
_SPACE[list(b" \t\n\r\v\f")] = True
_BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that it can be undone modulo 2^64."""
_UNBASE = np.uint64(pow(int(_BASE), -1, 2**64))


class Spans(NamedTuple):
    """Pieces of the batch: bytes from `starts` to before `stops`, of the documents `owners`."""

    starts: np.ndarray
    stops: np.ndarray
    owners: np.ndarray


class Texts:
    """texts: the documents. languages: ISO 639-1 codes of each, "" where unknown.

    data: (B,) uint8, all documents joined. edges: (N + 1,) int64, where each begins and ends in it.
    A word is what stands between white space; in Chinese and Japanese, which do not write any,
    every Han or Kana character is one and punctuation is none.
    """

    def __init__(self, texts: Sequence[str], languages: Sequence[str] | None = None) -> None:
        import pyarrow as pa

        array = pa.array(texts, pa.large_string())
        _, edges, data = array.buffers()
        self.count = len(texts)
        self.edges = np.frombuffer(edges, np.int64)[: self.count + 1]
        size = int(self.edges[-1]) if self.count else 0
        self.data = np.frombuffer(data, np.uint8)[:size] if data else np.zeros(0, np.uint8)
        self.languages = np.array(languages if languages is not None else [""] * self.count, str)

    @cached_property
    def bytes(self) -> np.ndarray:
        """(N,) int64: bytes of each document."""
        return np.diff(self.edges)

    @cached_property
    def characters(self) -> np.ndarray:
        """(N,) int64: characters of each document."""
        return self.counted(self._begins)

    def counted(self, places: np.ndarray) -> np.ndarray:
        """(N,) int64: how many of the marked bytes, (B,) bool, lie in each document."""
        return np.diff(_running(places)[self.edges])

    def per_document(self, spans: Spans, weights: np.ndarray | None = None) -> np.ndarray:
        """(N,) sums of weights over the spans of each document, or how many spans there are."""
        found = np.bincount(spans.owners, weights, self.count)
        return found if weights is not None else found.astype(np.int64)

    def lengths(self, spans: Spans) -> np.ndarray:
        """(S,) int64: characters of each span."""
        running = self._characters_before
        return running[spans.stops] - running[spans.starts]

    def find(self, needle: str) -> np.ndarray:
        """(B,) bool: where a string begins, in ASCII letters of any case."""
        wanted = needle.encode()
        found = np.zeros(len(self.data), bool)
        size = len(self.data) - len(wanted) + 1
        if size <= 0:
            return found
        here = np.ones(size, bool)
        for i, byte in enumerate(wanted):
            part = self.data[i : i + size]
            letter = chr(byte).isalpha() and byte < 128
            here &= ((part | 32) == (byte | 32)) if letter else (part == byte)
            if not here.any():
                return found
        found[:size] = here
        # A match may not run from one document into the next.
        starts = np.flatnonzero(found)
        over = starts + len(wanted) > self.edges[self._owners_of(starts) + 1]
        found[starts[over]] = False
        return found

    @cached_property
    def words(self) -> Spans:
        """All words."""
        data = self.data
        single = self._single
        inside = np.zeros(len(data) + 1, bool)
        inside[:-1] = ~self._separator
        starts = inside[:-1].copy()
        starts[1:] &= ~inside[:-2] | single[1:] | self._single_end[1:]
        starts &= self._begins
        edges = self.edges[:-1]
        at = edges[edges < len(data)]
        starts[at] |= inside[:-1][at]
        stops = np.zeros(len(data) + 1, bool)
        stops[:-1] = starts | self._separator
        stops[self.edges] = True
        first = np.flatnonzero(starts)
        ends = np.flatnonzero(stops)
        return Spans(first, ends[np.searchsorted(ends, first, "right")], self._owners_of(first))

    @cached_property
    def lines(self) -> Spans:
        """All lines that are not blank, without the white space around them."""
        return self._between(self.data == 10)

    @cached_property
    def paragraphs(self) -> Spans:
        """All paragraphs, which blank lines separate, without the white space around them."""
        breaks = np.flatnonzero(self.data == 10)
        # A line break is a paragraph's end when only white space stands before the next one.
        space = _running(_SPACE[self.data])
        blank = space[breaks[1:]] - space[breaks[:-1]] == np.diff(breaks)
        ends = np.zeros(len(self.data), bool)
        ends[breaks[:-1][blank]] = True
        return self._between(ends)

    def hashes(self, spans: Spans) -> np.ndarray:
        """(S,) uint64: equal for spans of equal bytes, and hardly for others."""
        before, undo = self._hash_before
        found = (before[spans.stops] - before[spans.starts]) * undo[spans.starts]
        return mixed(found + (spans.stops - spans.starts).astype(np.uint64))

    def repeated(self, hashes: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """(S,) bool: spans whose hash an earlier span of the same document had."""
        keys = mixed(hashes ^ mixed(owners.astype(np.uint64) + _BASE))
        order = np.argsort(keys, kind="stable")
        again = np.zeros(len(keys), bool)
        again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
        return again

    def _between(self, breaks: np.ndarray) -> Spans:
        """What stands between marked bytes and the documents' ends, white space taken off."""
        size = len(self.data)
        dark = ~_SPACE[self.data]
        cuts = np.unique(np.concatenate([self.edges, np.flatnonzero(breaks) + 1]))
        places = np.flatnonzero(dark)
        if not len(places):
            none = np.zeros(0, np.int64)
            return Spans(none, none, none)
        low, high = cuts[:-1], cuts[1:]
        first = np.searchsorted(places, low)
        last = np.searchsorted(places, high) - 1
        full = first <= last
        starts, stops = places[first[full]], places[last[full]] + 1
        assert not len(stops) or stops[-1] <= size
        return Spans(starts, stops, self._owners_of(starts))

    def _owners_of(self, places: np.ndarray) -> np.ndarray:
        """The document in which each place lies."""
        return np.searchsorted(self.edges, places, "right") - 1

    @cached_property
    def _begins(self) -> np.ndarray:
        """(B,) bool: bytes that begin a character."""
        return (self.data & 0xC0) != 0x80

    @cached_property
    def _characters_before(self) -> np.ndarray:
        return _running(self._begins)

    @cached_property
    def _single(self) -> np.ndarray:
        """(B,) bool: bytes that begin a Kana or Han character."""
        data = self.data
        second = np.append(data[1:], np.uint8(0))
        return ((data >= 0xE4) & (data <= 0xE9)) | ((data == 0xE3) & (second >= 0x81))

    @cached_property
    def _single_end(self) -> np.ndarray:
        """(B,) bool: bytes that stand right after such a character."""
        after = np.zeros(len(self.data), bool)
        after[3:] = self._single[:-3]
        return after

    @cached_property
    def _separator(self) -> np.ndarray:
        """(B,) bool: white space, and the punctuation of Chinese and Japanese."""
        data = self.data
        second = np.append(data[1:], np.uint8(0))
        # U+3000 to U+303F, and the full-width forms up to U+FF20.
        wide = (data == 0xE3) & (second == 0x80)
        third = np.append(data[2:], np.zeros(min(2, len(data)), np.uint8))[: len(data)]
        wide |= (data == 0xEF) & (second == 0xBC) & (third <= 0xA0)
        found = _SPACE[data] | wide
        found[1:] |= wide[:-1]
        found[2:] |= wide[:-2]
        return found

    @cached_property
    def _hash_before(self) -> tuple[np.ndarray, np.ndarray]:
        """(B + 1,) uint64: sums of bytes times powers of the base before a place, and its inverse."""
        size = len(self.data)
        with np.errstate(over="ignore"):
            powers = np.full(size + 1, _BASE)
            powers[0] = 1
            undo = np.full(size + 1, _UNBASE)
            undo[0] = 1
            np.multiply.accumulate(powers, out=powers)
            np.multiply.accumulate(undo, out=undo)
            sums = np.zeros(size + 1, np.uint64)
            np.cumsum((self.data.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=sums[1:])
        return sums, undo


def mixed(values: np.ndarray) -> np.ndarray:
    """uint64 scrambled one to one, every bit by every other (Vigna's splitmix64)."""
    values = values.astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def grams(hashes: np.ndarray, owners: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all runs of `size` items of one document, and where each run begins: (G,) each."""
    count = len(hashes) - size + 1
    if count <= 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    found = hashes[:count].copy()
    for i in range(1, size):
        found = found * _BASE + hashes[i : i + count]
    whole = np.flatnonzero(owners[:count] == owners[size - 1 :])
    return mixed(found[whole]), whole


def _running(places: np.ndarray) -> np.ndarray:
    """(B + 1,) int64: how many marked places stand before each."""
    found = np.zeros(len(places) + 1, np.int64)
    np.cumsum(places, out=found[1:])
    return found
