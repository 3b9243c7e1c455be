"""Near duplicates: MinHash signatures, banded candidates, connected components.

After Broder 1997 and Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", chapter 3. Knows
batches of text and arrays; knows nothing of files.
"""

import math

import numpy as np
from pydantic import Field

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.corpus.texts import Texts, grams, mixed

WORDLESS = np.uint32(2**32 - 1)
"""At every place of the signature of a text without words, which is like no other."""
_PIECE = 2**18
"""Shingles that are hashed together: what is at work fits into the cache."""


_FOUND, _LOWEST_FOUND = 0.979, 0.9
"""The probability with which a pair at `least` is compared; the lowest that may be asked for."""
_LEAST, _MOST_ROWS = 0.1, 4
"""More rows than four would save comparisons from 0.7 on, which are few, and cost hashes."""
_FEWEST, _USUAL, _MOST = 112, 200, 1024
"""Hashes of a signature: for a similarity known to 0.04, for a cheap one, and at the most."""
_MOST_COMPARED = 256
"""Pairs for each document, all in all: texts full of common phrases would be compared for ever."""


class NearConfig(Config):
    """least: the similarity from which two documents are duplicates, the share of shingles in both.

    shingle: words of one. bands, rows: of the signature; None: what `least` needs. A pair of
    similarity s is compared with the probability 1 - (1 - s^rows)^bands, 0.98 at `least`.
    """

    least: float = Field(default=0.6, gt=0.0, le=1.0)
    shingle: int = Field(default=3, ge=1, le=64)
    bands: int | None = Field(default=None, ge=1)
    rows: int | None = Field(default=None, ge=1)
    seed: int = 0

    def banding(self) -> tuple[int, int]:
        """Bands and rows. Raises UsageError where they cannot find what `least` asks for."""
        if self.least < _LEAST:
            raise UsageError(
                f"near.least = {self.least} is too low: two texts of one subject share that many "
                f"runs of {self.shingle} words by chance. The lowest is {_LEAST}."
            )
        rows = self.rows or next(
            (r for r in range(_MOST_ROWS, 1, -1) if _bands(self.least, r) * r <= _USUAL), 1
        )
        bands = self.bands or max(_bands(self.least, rows), -(-_FEWEST // rows))
        found = 1 - (1 - self.least**rows) ** bands
        if found < _LOWEST_FOUND:
            raise UsageError(
                f"near: {bands} bands of {rows} rows find {found:.0%} of the pairs of similarity "
                f"{self.least}; leave them out, and they follow from near.least."
            )
        if bands * rows > _MOST:
            raise UsageError(
                f"near: {bands} bands of {rows} rows are {bands * rows:,} hashes a document; "
                f"at most {_MOST:,} are made. Fewer rows need fewer bands."
            )
        return bands, rows


def _bands(least: float, rows: int) -> int:
    """How many bands of so many rows find a pair at `least` with the probability `_FOUND`."""
    share = min(least**rows, 1 - 1e-9)
    return max(1, min(2**20, math.ceil(math.log(1 - _FOUND) / math.log1p(-share))))


def signatures(texts: Texts, config: NearConfig) -> np.ndarray:
    """(N, bands * rows) uint32: equal places are as many as shared shingles, on average.

    A text of fewer words than a shingle has is one shingle; one without a word has all ones.
    """
    count = math.prod(config.banding())
    found = np.full((texts.count, count), WORDLESS)
    words = texts.words
    if not len(words.starts):
        return found
    hashes = texts.hashes(words)
    shingles, starts = grams(hashes, words.owners, config.shingle)
    owners = words.owners[starts]
    # Texts that are too short for a shingle: all their words together.
    short = np.flatnonzero(np.bincount(words.owners, minlength=texts.count) < config.shingle)
    alone = np.isin(words.owners, short)
    if alone.any():
        sums = np.zeros(texts.count, np.uint64)
        np.add.at(sums, words.owners[alone], mixed(hashes[alone]))
        held = np.unique(words.owners[alone])
        shingles = np.concatenate([shingles, sums[held]])
        owners = np.concatenate([owners, held])
        order = np.argsort(owners, kind="stable")
        shingles, owners = shingles[order], owners[order]
    seeds = mixed(np.arange(count, dtype=np.uint64) + np.uint64(config.seed * count + 1))
    for first in range(0, len(shingles), _PIECE):
        part, of = shingles[first : first + _PIECE], owners[first : first + _PIECE]
        begins = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        documents = of[begins]
        for i, seed in enumerate(seeds):
            # The upper half of a product with an odd number: a hash of its own for each place.
            values = ((part ^ seed) * (seed | np.uint64(1))) >> np.uint64(32)
            least = np.minimum.reduceat(values, begins).astype(np.uint32)
            found[documents, i] = np.minimum(found[documents, i], least)
    return found


def similar(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(P,) the similarity of pairs of signatures, (P, count) each."""
    shares: np.ndarray = (one == other).mean(1)
    return shares


def pairs(signed: np.ndarray, config: NearConfig) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) int64 places of near duplicates, the earlier first, and (P,) their similarity.

    signed: (N, count) uint32, which may lie on disk: one band at a time is in memory, and who
    shares one with whom. Of a group that shares a band each is compared with the group's first;
    those that are not connected to it, with the first of themselves, and so on: few comparisons
    connect all.
    """
    count = len(signed)
    left = [_sharing(signed, band, config) for band in range(config.banding()[0])]
    edges, likeness, compared = [np.zeros((0, 2), np.int64)], [np.zeros(0)], 0
    while any(len(members) for members, _ in left):
        found = np.unique(np.concatenate([_with_firsts(*band) for band in left]), axis=0)
        if edges[1:] and compared + len(found) > _MOST_COMPARED * count:
            break
        compared += len(found)
        shares = _likeness(signed, found)
        near = shares >= config.least
        edges.append(found[near])
        likeness.append(shares[near])
        labels = components(count, np.concatenate(edges))
        left = [_unconnected(*band, labels) for band in left]
    both, order = np.unique(np.concatenate(edges), axis=0, return_index=True)
    return both, np.concatenate(likeness)[order]


def _sharing(signed: np.ndarray, band: int, config: NearConfig) -> tuple[np.ndarray, np.ndarray]:
    """(M,) places of the texts that share a band with another, groups side by side and each in
    order; (M,) bool: where a group begins.
    """
    rows = config.banding()[1]
    columns = np.ascontiguousarray(signed[:, band * rows : (band + 1) * rows])
    keys = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        keys = mixed(keys ^ column.astype(np.uint64)) + np.uint64(band + 1)
    held = np.flatnonzero((columns != WORDLESS).any(1))
    order = held[np.argsort(keys[held], kind="stable")]
    keys = keys[order]
    return _groups(order, np.append(True, keys[1:] != keys[:-1])[: len(order)])


def _groups(members: np.ndarray, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the groups of one."""
    alone = begins & np.append(begins[1:], True)[: len(begins)]
    return members[~alone].astype(np.int32), begins[~alone]


def _with_firsts(members: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """(P, 2) int64: every member but the first of its group, after that first."""
    firsts = members[begins][np.cumsum(begins) - 1]
    return np.stack([firsts[~begins], members[~begins]], 1).astype(np.int64)


def _unconnected(
    members: np.ndarray, begins: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The groups without their firsts and what is connected to them by now."""
    if not len(members):
        return members, begins
    group = np.cumsum(begins) - 1
    left = labels[members] != labels[members[begins]][group]
    members, group = members[left], group[left]
    return _groups(members, np.append(True, group[1:] != group[:-1])[: len(group)])


def _likeness(signed: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(P,) the similarity of each pair."""
    parts = np.array_split(both, max(1, len(both) // 2**16))
    return np.concatenate([similar(signed[part[:, 0]], signed[part[:, 1]]) for part in parts])


def components(count: int, edges: np.ndarray) -> np.ndarray:
    """(count,) int64: the first place of each place's connected component; edges: (E, 2)."""
    label = np.arange(count)
    if not len(edges):
        return label
    low, high = edges.min(1), edges.max(1)
    while True:
        least = np.minimum(label[low], label[high])
        before = label.copy()
        np.minimum.at(label, low, least)
        np.minimum.at(label, high, least)
        label = label[label]  # what I follow may follow another
        if (label == before).all():
            return label
