"""A batch of documents as one array of bytes, cut into words and lines all at once.

What rules count, they count here for the whole batch: with arrays instead of loops, at tens of
megabytes a second. Knows UTF-8; knows nothing of rules.
"""

import string
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

_SPACE = np.zeros(256, bool)
_SPACE[list(b" \t\n\r\v\f")] = True
_FOLD = np.arange(256, dtype=np.uint8)
_FOLD[list(string.punctuation.encode())] = ord(" ")
_FOLD[list(string.ascii_uppercase.encode())] = list(string.ascii_lowercase.encode())
_BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that it can be undone modulo 2^64."""
_UNBASE = np.uint64(pow(int(_BASE), -1, 2**64))
_ROW = 4096
"""Powers of the base are products of two, from tables of this size and of the rest."""


class Spans(NamedTuple):
    """Pieces of the batch: bytes from `starts` to before `stops`, of the documents `owners`."""

    starts: np.ndarray
    stops: np.ndarray
    owners: np.ndarray


class Runs(NamedTuple):
    """Runs of words, equal ones side by side and each group in the order of the text.

    places: the first word of each, among all words. first: whether it is the first of its group.
    keys: uint64, equal within a group.
    """

    places: np.ndarray
    first: np.ndarray
    keys: np.ndarray


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
        self._runs: dict[int, Runs] = {}

    def counted(self, places: np.ndarray) -> np.ndarray:
        """(N,) int64: how many places, ascending, lie in each document."""
        return np.diff(np.searchsorted(places, self.edges))

    def held(self, spans: Spans, places: np.ndarray) -> np.ndarray:
        """(S,) int64: how many places, ascending, lie in each span."""
        return np.searchsorted(places, spans.stops) - np.searchsorted(places, spans.starts)

    def per_document(self, spans: Spans, weights: np.ndarray | None = None) -> np.ndarray:
        """(N,) sums of weights over the spans of each document, or how many spans there are."""
        found = np.bincount(spans.owners, weights, self.count)
        return found if weights is not None else found.astype(np.int64)

    def lengths(self, spans: Spans) -> np.ndarray:
        """(S,) int64: characters of each span."""
        running = self._characters_before
        return (running[spans.stops] - running[spans.starts]).astype(np.int64)

    def running(self, counts: np.ndarray) -> np.ndarray:
        """(C + 1,): the sum of what stands before each place; no sum is above the bytes."""
        # Half the memory takes half the time.
        whole = np.int32 if len(self.data) < 2**31 else np.int64
        found = np.zeros(len(counts) + 1, whole)
        np.cumsum(counts, out=found[1:])
        return found

    def find(self, needle: str, spans: Spans | None = None) -> np.ndarray:
        """(F,) int64, ascending: where a string begins, in ASCII letters of any case.

        spans: the only ones, in order, that it is looked for in.
        """
        wanted = needle.encode()
        if spans is None:
            # The byte that is rarest in the batch leaves the fewest places to look at.
            rare = min(range(len(wanted)), key=lambda i: self._often[wanted[i]])
            last = max(len(self.data) - len(wanted) + 1, 0)
            found = np.flatnonzero(_same(self.data[rare : rare + last], wanted[rare]))
            stops = self.edges[self._owners_of(found) + 1]
        else:
            sizes = spans.stops - spans.starts
            found = np.arange(sizes.sum()) + np.repeat(spans.stops - np.cumsum(sizes), sizes)
            stops = np.repeat(spans.stops, sizes)
        # A match may not run from one document or span into the next.
        found = found[found + len(wanted) <= stops]
        for i, byte in enumerate(wanted):
            found = found[_same(self.data[found + i], byte)]
        return found

    def begin_with(self, spans: Spans, beginnings: Sequence[str]) -> np.ndarray:
        """(S,) bool: spans that begin with one of the strings."""
        return self._have(spans, beginnings, at_end=False)

    def end_with(self, spans: Spans, endings: Sequence[str]) -> np.ndarray:
        """(S,) bool: spans that end with one of the strings."""
        return self._have(spans, endings, at_end=True)

    def recurring(self, size: int) -> Runs:
        """Runs of `size` words that their document holds more than once."""
        if size not in self._runs:
            words = self.words
            # What recurs begins with something shorter that does: few runs are left to look at.
            if size > 1:
                places, _, keys = self.recurring(size - 1) if size > 2 else self._all_words
                fits = places < len(words.starts) - size + 1
                places, keys = places[fits], keys[fits]
                whole = words.owners[places] == words.owners[places + size - 1]
                places, keys = places[whole], keys[whole]
                keys = mixed(keys * _BASE + self.word_hashes[places + size - 1])
            else:
                places, _, keys = self._all_words
            order, first = _grouped(keys)
            several = np.flatnonzero(~first | np.append(~first[1:], False))
            order = order[several]
            self._runs[size] = Runs(places[order], first[several], keys[order])
        return self._runs[size]

    @cached_property
    def words(self) -> Spans:
        """All words."""
        inside = ~self._separator
        starts = inside.copy()
        starts[1:] &= self._separator[:-1] | self._single[1:] | self._single_end[1:]
        edges = self.edges[:-1]
        at = edges[edges < len(inside)]
        starts[at] |= inside[at]
        return self._spans(*_bounds(inside, starts))

    @cached_property
    def word_hashes(self) -> np.ndarray:
        """(W,) uint64: the hashes of all words."""
        return self.hashes(self.words)

    @cached_property
    def word_characters(self) -> np.ndarray:
        """(N,) int64: characters of all words of each document."""
        first = np.searchsorted(self.words.starts, self.edges)
        return np.diff(self.word_characters_before[first].astype(np.int64))

    @cached_property
    def word_characters_before(self) -> np.ndarray:
        """(W + 1,): characters of all words before each word."""
        return self.running(self.lengths(self.words))

    @cached_property
    def lines(self) -> Spans:
        """All lines that are not blank, without the white space around them."""
        return self._between(self._breaks)

    @cached_property
    def paragraphs(self) -> Spans:
        """All paragraphs, which blank lines separate, without the white space around them."""
        breaks = self._breaks
        # A line break is a paragraph's end when only white space stands before the next one.
        before = np.searchsorted(self._dark[0], breaks)
        return self._between(breaks[:-1][before[1:] == before[:-1]])

    def hashes(self, spans: Spans) -> np.ndarray:
        """(S,) uint64: equal for spans of equal bytes, and hardly for others."""
        before = self._hash_before
        found = before[spans.stops] - before[spans.starts]
        found *= _powers(_UNBASE, len(self.data), spans.starts)
        return mixed(found + (spans.stops - spans.starts).astype(np.uint64))

    def repeated(self, hashes: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """(S,) bool: spans whose hash an earlier span of the same document had."""
        keys = mixed(hashes ^ mixed(owners.astype(np.uint64) + _BASE))
        order, first = _grouped(keys)
        again = np.zeros(len(keys), bool)
        again[order] = ~first
        return again

    def _between(self, breaks: np.ndarray) -> Spans:
        """What stands between breaks and the documents' ends, white space taken off."""
        starts, stops = self._dark
        cuts = np.unique(np.concatenate([self.edges, breaks]))
        parts = np.searchsorted(starts, cuts)
        full = parts[:-1] < parts[1:]
        return self._spans(starts[parts[:-1][full]], stops[parts[1:][full] - 1])

    def _spans(self, starts: np.ndarray, stops: np.ndarray) -> Spans:
        return Spans(starts, stops, np.repeat(np.arange(self.count), self.counted(starts)))

    def _have(self, spans: Spans, strings: Sequence[str], at_end: bool) -> np.ndarray:
        """(S,) bool: spans that have one of the strings at their end or beginning."""
        found = np.zeros(len(spans.starts), bool)
        for wanted in map(str.encode, strings):
            maybe = np.flatnonzero(spans.stops - spans.starts >= len(wanted))
            first = spans.stops[maybe] - len(wanted) if at_end else spans.starts[maybe]
            for i, byte in enumerate(wanted):
                same = self.data[first + i] == byte
                maybe, first = maybe[same], first[same]
            found[maybe] = True
        return found

    def _owners_of(self, places: np.ndarray) -> np.ndarray:
        """The document in which each place lies."""
        return np.searchsorted(self.edges, places, "right") - 1

    @cached_property
    def _all_words(self) -> Runs:
        """Every word as a run of its own, in the order of the text."""
        owners = self.words.owners
        keys = mixed(self.word_hashes ^ mixed(owners.astype(np.uint64) + _BASE))
        return Runs(np.arange(len(keys)), np.ones(len(keys), bool), keys)

    @cached_property
    def _often(self) -> np.ndarray:
        """(256,) int64: how often each byte occurs in a sample."""
        return np.bincount(self.data[::64], minlength=256)

    @cached_property
    def _breaks(self) -> np.ndarray:
        """(L,) int64: the line breaks."""
        return np.flatnonzero(self.data == 10)

    @cached_property
    def _dark(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) int64 each: where pieces without white space start and stop, within documents."""
        dark = ~_SPACE[self.data]
        starts = dark.copy()
        starts[1:] &= ~dark[:-1]
        at = self.edges[self.edges < len(dark)]
        starts[at] |= dark[at]
        return _bounds(dark, starts)

    @cached_property
    def _begins(self) -> np.ndarray:
        """(B,) bool: bytes that begin a character."""
        return (self.data & 0xC0) != 0x80

    @cached_property
    def _characters_before(self) -> np.ndarray:
        return self.running(self._begins)

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
    def _hash_before(self) -> np.ndarray:
        """(B + 1,) uint64: sums of bytes, each times the base to the power of its place."""
        size = len(self.data)
        rows = size // _ROW + 1
        sums = np.zeros(rows * _ROW + 1, np.uint64)
        sums[1 : size + 1] = self.data
        sums[1 : size + 1] += np.uint64(1)
        table = sums[1:].reshape(rows, _ROW)
        low, high = _power_tables(_BASE, size)
        table *= low
        table *= high[:, None]
        np.cumsum(sums, out=sums)
        return sums[: size + 1]

    def folded(self) -> "Texts":
        """The same documents, ASCII letters in lower case and a space for ASCII punctuation.

        Every byte keeps its place: what is found here stands at the same place in the original.
        """
        found = Texts([])
        found.count, found.edges, found.languages = self.count, self.edges, self.languages
        found.data = _FOLD[self.data]
        return found


def _same(part: np.ndarray, byte: int) -> np.ndarray:
    """(P,) bool: which bytes are this one, or its letter in the other case."""
    if byte < 128 and chr(byte).isalpha():
        return (part | 32) == (byte | 32)
    return part == byte


def _bounds(inside: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where pieces start and stop: (B,) bool, what lies in one and what begins one."""
    stops = np.zeros(len(inside) + 1, bool)
    stops[1:] = inside
    stops[1:-1] &= starts[1:] | ~inside[1:]
    return np.flatnonzero(starts), np.flatnonzero(stops)


def _power_tables(base: np.uint64, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(_ROW,) and (size // _ROW + 1,) uint64: powers of the base to 0, 1... and 0, _ROW..."""
    low = np.full(_ROW, base)
    low[0] = 1
    np.multiply.accumulate(low, out=low)
    high = np.full(size // _ROW + 1, pow(int(base), _ROW, 2**64), np.uint64)
    high[0] = 1
    np.multiply.accumulate(high, out=high)
    return low, high


def _powers(base: np.uint64, size: int, exponents: np.ndarray) -> np.ndarray:
    """The base to the power of each exponent, none above size."""
    low, high = _power_tables(base, size)
    return low[exponents % _ROW] * high[exponents // _ROW]


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) places of keys, equal ones side by side and in order; whether each is the first such."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    # Sorting is ten times as fast as argsort: the last bits of each key make way for its place.
    # Two keys that differ only there are told apart below, but may then stand interleaved: at
    # 2^19 words such a pair is in less than one batch of a hundred, and rarely interleaved.
    bits = np.uint64(len(keys).bit_length())
    packed = (keys >> bits << bits) | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    order = (packed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    first = np.ones(len(keys), bool)
    ranked = keys[order]
    first[1:] = ranked[1:] != ranked[:-1]
    return order, first


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
