"""A batch of documents as one array of bytes, cut into words and lines all at once.

What rules count, they count here for the whole batch: with arrays instead of loops, at tens of
megabytes a second.
"""

import string
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hornbook.corpus.equal_keys import again, alike, with_first
from hornbook.corpus.syllables import cuts

_FOLD = np.arange(256, dtype=np.uint8)
_FOLD[list(string.punctuation.encode())] = ord(" ")
_FOLD[list(string.ascii_uppercase.encode())] = list(string.ascii_lowercase.encode())
_BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that it can be undone modulo 2^64."""
_UNBASE = np.uint64(pow(int(_BASE), -1, 2**64))
_ROW_BITS = 12
_ROW = 2**_ROW_BITS
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
    A word is what stands between white space; in scripts that do not write any, what
    `corpus.syllables` says: a Han or Kana character, a cluster of Thai; punctuation is none.
    """

    def __init__(self, texts: Sequence[str], languages: Sequence[str] | None = None) -> None:
        encoded = [text.encode("utf-8") for text in texts]
        self.count = len(encoded)
        self.edges = np.cumsum([0, *map(len, encoded)])
        self.data = np.frombuffer(b"".join(encoded), np.uint8)
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
        sums: np.ndarray = running[spans.stops] - running[spans.starts]
        return sums.astype(np.int64)

    def written_in(self, languages: Collection[str]) -> np.ndarray:
        """(N,) bool: which documents are in one of the languages."""
        codes, which = self._codes
        chosen = np.array([code in languages for code in codes], bool)
        return chosen.take(which)

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
            # The two bytes that are rarest in the batch leave few places to look at.
            rare = sorted(range(len(wanted)), key=lambda i: self._often[wanted[i]])[:2]
            last = max(len(self.data) - len(wanted) + 1, 0)
            same = np.ones(last, bool)
            for i in rare:
                same &= _same(self.data[i : i + last], wanted[i])
            found = np.flatnonzero(same)
        else:
            sizes = spans.stops - spans.starts
            found = np.arange(sizes.sum()) + np.repeat(spans.stops - np.cumsum(sizes), sizes)
            found = found[found + len(wanted) <= np.repeat(spans.stops, sizes)]
        for i, byte in enumerate(wanted):
            if not len(found):
                break
            found = found[_same(self.data[found + i], byte)]
        # A match may not run from one document into the next.
        whole: np.ndarray = found + len(wanted) <= self.edges[self._owners_of(found) + 1]
        return found.compress(whole)

    def begin_with(self, spans: Spans, beginnings: Sequence[str]) -> np.ndarray:
        """(S,) bool: spans that begin with one of the strings."""
        return self._have(spans, beginnings, at_end=False)

    def end_with(self, spans: Spans, endings: Sequence[str]) -> np.ndarray:
        """(S,) bool: spans that end with one of the strings."""
        return self._have(spans, endings, at_end=True)

    def recurring(self, size: int) -> Runs:
        """Runs of `size` words that their document holds more than once."""
        if size not in self._runs:
            if size <= 2:
                keys = self._word_keys
                if size == 2:
                    keys = keys[:-1] * _BASE + self.word_hashes[1:]
                places = np.arange(len(keys))
            else:
                # What recurs begins with something shorter that does: few runs are left.
                places, _, keys = self.recurring(size - 1)
                within = places + size <= len(self.word_hashes)
                places, keys = places[within], keys[within]
                keys = keys * _BASE + self.word_hashes[places + size - 1]
            order = alike(keys)
            places, keys = places[order], keys[order]
            # Only now, when few are left: a run may not go on into the next document.
            owners = self.words.owners
            whole = owners[places] == owners[places + size - 1]
            places, keys = places[whole], keys[whole]
            later = again(keys)
            several = with_first(later)
            self._runs[size] = Runs(places[several], ~later[several], keys[several])
        return self._runs[size]

    @cached_property
    def words(self) -> Spans:
        """All words."""
        dark, (starts, stops) = self._dark, self._pieces
        unspaced = cuts(self.data, self.edges)
        if len(unspaced.begins) or len(unspaced.gone):
            inside = dark.copy()
            for i in range(3):
                inside[unspaced.gone + i] = False
            begins = inside.copy()
            begins[1:] &= ~inside[:-1]
            for places in (self.edges, unspaced.begins):
                at = places[places < len(dark)]
                begins[at] = inside[at]
            starts, stops = _bounds(inside, begins)
        return self._spans(starts, stops)

    @cached_property
    def word_count(self) -> np.ndarray:
        """(N,) int64: words of each document."""
        return self.counted(self.words.starts)

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
        before = np.searchsorted(self._pieces[0], breaks)
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
        order = alike(keys)
        found = np.zeros(len(keys), bool)
        found[order] = again(keys[order])
        return found

    def _between(self, breaks: np.ndarray) -> Spans:
        """What stands between breaks and the documents' ends, white space taken off."""
        starts, stops = self._pieces
        cuts = np.unique(np.concatenate([self.edges, breaks]))
        parts = np.searchsorted(starts, cuts)
        full = parts[:-1] < parts[1:]
        return self._spans(starts[parts[:-1][full]], stops[parts[1:][full] - 1])

    def _spans(self, starts: np.ndarray, stops: np.ndarray) -> Spans:
        return Spans(starts, stops, np.repeat(np.arange(self.count), self.counted(starts)))

    def _have(self, spans: Spans, strings: Sequence[str], at_end: bool) -> np.ndarray:
        """(S,) bool: spans that have one of the strings at their end or beginning."""
        found = np.zeros(len(spans.starts), bool)
        sizes = spans.stops - spans.starts
        outer = self.data[spans.stops - 1 if at_end else spans.starts]
        for wanted in map(str.encode, strings):
            maybe = np.flatnonzero(outer == wanted[-1 if at_end else 0])
            maybe = maybe[sizes[maybe] >= len(wanted)]
            if len(maybe):
                first = spans.stops[maybe] - len(wanted) if at_end else spans.starts[maybe]
                same = [self.data[first + i] == byte for i, byte in enumerate(wanted)]
                found[maybe] |= np.logical_and.reduce(same)
        return found

    def _owners_of(self, places: np.ndarray) -> np.ndarray:
        """The document in which each place lies."""
        return np.searchsorted(self.edges, places, "right") - 1

    @cached_property
    def _word_keys(self) -> np.ndarray:
        """(W,) uint64: equal for equal words of one document."""
        salts = mixed(np.arange(self.count).astype(np.uint64) + _BASE)
        return np.asarray(self.word_hashes ^ salts[self.words.owners])

    @cached_property
    def _codes(self) -> tuple[list[str], np.ndarray]:
        """The languages that occur, and (N,) int64: which of them each document is in."""
        codes, which = np.unique(self.languages, return_inverse=True)
        return codes.tolist(), which

    @cached_property
    def _often(self) -> np.ndarray:
        """(256,) int64: how often each byte occurs in a sample."""
        return np.bincount(self.data[::64], minlength=256)

    @cached_property
    def _breaks(self) -> np.ndarray:
        """(L,) int64: the line breaks."""
        return np.flatnonzero(self.data == 10)

    @cached_property
    def _dark(self) -> np.ndarray:
        """(B,) bool: all bytes but the white space of ASCII."""
        # Comparing is ten times as fast as looking up in a table.
        seen: np.ndarray = self.data != ord(" ")
        seen &= self.data - np.uint8(ord("\t")) > ord("\r") - ord("\t")
        return seen

    @cached_property
    def _pieces(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) int64 each: where pieces without white space start and stop, within documents."""
        dark = self._dark
        starts = dark.copy()
        starts[1:] &= ~dark[:-1]
        at = self.edges[self.edges < len(dark)]
        starts[at] |= dark[at]
        return _bounds(dark, starts)

    @cached_property
    def _begins(self) -> np.ndarray:
        """(B,) bool: bytes that begin a character."""
        return self.data.view(np.int8) >= -64  # the others are 0x80 to 0xBF

    @cached_property
    def _characters_before(self) -> np.ndarray:
        return self.running(self._begins)

    @cached_property
    def _hash_before(self) -> np.ndarray:
        """(B + 1,) uint64: sums of bytes, each times the base to the power of its place."""
        size = len(self.data)
        rows = size // _ROW + 1
        sums = np.zeros(rows * _ROW + 1, np.uint64)
        sums[1 : size + 1] = self.data + np.uint8(1)  # no byte of UTF-8 is 255
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
        part, byte = part | 32, byte | 32
    same: np.ndarray = part == byte
    return same


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
    powers: np.ndarray = low[exponents & (_ROW - 1)] * high[exponents >> _ROW_BITS]
    return powers


def mixed(values: np.ndarray) -> np.ndarray:
    """uint64 scrambled one to one, every bit by every other (Vigna's splitmix64)."""
    values = values.astype(np.uint64)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


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
