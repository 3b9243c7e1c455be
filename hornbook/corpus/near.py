"""Near duplicates: MinHash signatures, banded candidates, connected components.

After Broder 1997 and Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", chapter 3. Knows
batches of text and arrays; knows nothing of files.
"""

import numpy as np
from pydantic import Field, PositiveInt

from hornbook.core.config import Config
from hornbook.corpus.texts import Texts, grams, mixed

WORDLESS = np.uint32(2**32 - 1)
"""At every place of the signature of a text without words, which is like no other."""
_PIECE = 2**18
"""Shingles that are hashed together: what is at work fits into the cache."""


class NearConfig(Config):
    """least: the similarity from which two documents are duplicates, the share of shingles in both.

    shingle: words of one. bands, rows: of the signature; a pair of similarity s is compared with
    the probability 1 - (1 - s^rows)^bands, 0.98 at the default `least`.
    """

    least: float = Field(default=0.6, gt=0.0, le=1.0)
    shingle: PositiveInt = 3
    bands: PositiveInt = 28
    rows: PositiveInt = 4
    seed: int = 0


def signatures(texts: Texts, config: NearConfig) -> np.ndarray:
    """(N, bands * rows) uint32: equal places are as many as shared shingles, on average.

    A text of fewer words than a shingle has is one shingle; one without a word has all ones.
    """
    count = config.bands * config.rows
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

    signed: (N, count) uint32, which may lie on disk: one band at a time is in memory. Of a group
    that shares a band each is compared with the group's first, which is enough to connect them.
    """
    found: list[np.ndarray] = []
    for band in range(config.bands):
        columns = np.ascontiguousarray(signed[:, band * config.rows : (band + 1) * config.rows])
        keys = np.zeros(len(columns), np.uint64)
        for column in columns.T:
            keys = mixed(keys ^ column.astype(np.uint64)) + np.uint64(band + 1)
        held = np.flatnonzero((columns != WORDLESS).any(1))
        if not len(held):
            continue
        order = held[np.argsort(keys[held], kind="stable")]
        sorted_keys = keys[order]
        begins = np.append(True, sorted_keys[1:] != sorted_keys[:-1])
        firsts = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
        found.append(np.stack([firsts[~begins], order[~begins]], 1))
    candidates = np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)
    shares = [
        similar(signed[part[:, 0]], signed[part[:, 1]])
        for part in np.array_split(candidates, max(1, len(candidates) // 2**16))
    ]
    likeness = np.concatenate(shares) if shares else np.zeros(0)
    near = likeness >= config.least
    return candidates[near], likeness[near]


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
