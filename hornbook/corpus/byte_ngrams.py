"""A language model of bytes: how well the five before tell the next, from hashed counts.

Bytes have no unknown ones, so any text in any script has a probability, and a few megabytes are
enough to train on.
"""

from collections.abc import Iterator

import numpy as np

VERSION = "1"
ORDER = 6
_BITS = 22
SLOTS = 2**_BITS
"""Of each order. Eleven megabytes of novels hold 760,000 different runs of six bytes."""

_ALIKE = np.arange(256, dtype=np.uint8)
_ALIKE[list(b"\t\n\v\f\r")] = ord(" ")
_ALIKE[list(b"123456789")] = ord("0")
"""Layout and numbers say little of how well a text is written (CCNet, too, makes digits alike)."""

_SCALE = 11.5
"""Codes of one byte for counts up to 2^32, to within 5 %: tables that fit the cache are faster."""
_COUNT = np.expm1(np.arange(256) / _SCALE).astype(np.float32)
_LOWER = (2 * np.sqrt(_COUNT + 1)).astype(np.float32)
"""What the lower orders weigh beside so many counts. More counts leave fewer surprises, but not
many times fewer: the root had a lower perplexity on held-out news, novels, poems and articles than
constants from 1 to 16, about that of four third roots, and less of a shock at random letters."""
_WHOLE = _COUNT + _LOWER


def empty() -> np.ndarray:
    """(ORDER, SLOTS) uint32: counts of nothing."""
    return np.zeros((ORDER, SLOTS), np.uint32)


def count(counts: np.ndarray, data: np.ndarray, edges: np.ndarray) -> None:
    """Add the runs of bytes of all documents: (B,) uint8, and (N + 1,) where each begins."""
    for size, slots in _slots(data):
        slots[_early(edges, size)] = SLOTS  # one more, that is thrown away
        counts[size - 1] += np.bincount(slots, minlength=SLOTS)[:SLOTS].astype(np.uint32)


def coded(counts: np.ndarray) -> np.ndarray:
    """uint8: counts on a scale that keeps small ones apart."""
    found, met = np.zeros(counts.shape, np.uint8), counts > 0  # most slots are empty
    found[met] = np.round(np.log1p(counts[met].astype(np.float32)) * _SCALE)
    return found


def perplexities(
    codes: np.ndarray, trained: int, data: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """(N,) float64: per character, NaN for documents without any.

    codes: (ORDER, SLOTS) uint8. trained: bytes that were counted. Each order is interpolated with
    the lower ones: p(b | h) = (c(hb) + w(h) p(b | h')) / (c(h) + w(h)), where h' is h without its
    first byte, p(b) over none is 1/256, and w(h) = 2 sqrt(c(h) + 1).
    """
    starts = edges[:-1][edges[:-1] < edges[1:]]
    chances = np.full(len(data), 1 / 256, np.float32)
    shorter = np.zeros(len(data), np.uint8)
    for size, slots in _slots(data):
        found = codes[size - 1][slots]
        if size == 1:
            lower = np.float32(2 * np.sqrt(trained + 1))
            chances = (chances * lower + _COUNT[found]) / (trained + lower)
        else:
            before = np.zeros(len(data), np.uint8)
            before[1:] = shorter[:-1]
            before[starts] = 0
            # A run is no more frequent than its parts: this undoes most of what slots that
            # several runs share would add, and all of runs that began in the document before.
            np.minimum(found, np.minimum(before, shorter), out=found)
            chances *= _LOWER[before]
            chances += _COUNT[found]
            chances /= _WHOLE[before]
        shorter = found
    return _per_character(np.log(chances), data, edges)


def _per_character(logs: np.ndarray, data: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """exp of minus the sum of each document over its characters."""
    sums = np.zeros(len(data) + 1)
    np.cumsum(logs, dtype=np.float64, out=sums[1:])
    begins = np.zeros(len(data) + 1, np.int64)
    np.cumsum((data & 0xC0) != 0x80, out=begins[1:])
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.exp(-np.diff(sums[edges]) / np.diff(begins[edges]))
    return found


def _slots(data: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For runs of 1 to ORDER bytes: how many, and (B,) the slot of the run that ends at a byte."""
    own = _ALIKE[data].astype(np.uint32)
    keys = own
    for size in range(1, ORDER + 1):
        if size > 1:
            longer = own.copy()
            longer[1:] += keys[:-1] * np.uint32(0x9E3779B1)
            keys = longer
        slots = (keys * np.uint32(0x85EBCA6B)) >> np.uint32(32 - _BITS)
        yield size, slots.astype(np.int64)


def _early(edges: np.ndarray, size: int) -> np.ndarray:
    """Places of bytes with fewer than `size` bytes of their document up to them."""
    places = edges[:-1, None] + np.arange(size - 1)
    found: np.ndarray = places[places < edges[1:, None]]
    return found
