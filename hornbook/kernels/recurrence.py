"""Recurrences over whole sequences as the kernels of training take them: arrays, checked.

Arrays of uint16 hold bfloats, all others float32. `nn.mamba2` and `nn.delta` say what is computed.
begin: (B, T) int32, the first token of each one's segment, where memories begin anew; or None.
decay: (B, T, H), at most 0. Imports no torch.
"""

from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.convolve import begins
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require, slab

_MOST = 2**31 - 1


class ScanSizes(NamedTuple):
    """heads of `head` channels, groups of which share what they write by and read by."""

    heads: int
    head: int
    groups: int
    state: int

    def parts(self) -> tuple[tuple[int, int], ...]:
        """Heads and channels of values, of what writes and of what reads, in a token's numbers."""
        return (self.heads, self.head), *((self.groups, self.state),) * 2


class Scanned(NamedTuple):
    """mixed: (B, T, heads*head + 2*groups*state) bfloats, values, writes and reads; step (B, T, H);
    skip (H,)."""

    mixed: np.ndarray
    step: np.ndarray
    decay: np.ndarray
    skip: np.ndarray
    begin: np.ndarray | None = None


class ScanGradients(NamedTuple):
    """As in `Scanned`; skip: (B, H), of each row."""

    mixed: np.ndarray
    step: np.ndarray
    decay: np.ndarray
    skip: np.ndarray


class RuleSizes(NamedTuple):
    """heads of `head` channels of values; key_heads of `key` channels of queries and keys."""

    heads: int
    head: int
    key_heads: int
    key: int

    def parts(self) -> tuple[tuple[int, int], ...]:
        """Heads and channels of queries, keys and values, in a token's numbers."""
        return *((self.key_heads, self.key),) * 2, (self.heads, self.head)


class Ruled(NamedTuple):
    """mixed: (B, T, 2*key_heads*key + heads*head) bfloats, queries, keys and values; rate
    (B, T, H)."""

    mixed: np.ndarray
    rate: np.ndarray
    decay: np.ndarray
    begin: np.ndarray | None = None


class RuleGradients(NamedTuple):
    """As in `Ruled`."""

    mixed: np.ndarray
    rate: np.ndarray
    decay: np.ndarray


def scan(
    library: Library, sizes: ScanSizes, scanned: Scanned, threads: int | None = None
) -> np.ndarray:
    """What is read of the memories and skips them, (B, T, heads*head) bfloats.

    threads: None for as many as compute best.
    """
    y = np.empty((*scanned.decay.shape[:2], sizes.heads * sizes.head), np.uint16)
    call = _scan(sizes, scanned)
    (call.y,) = _slabs(y, sizes.parts()[:1])
    library.scan(call, back=False, threads=threads)
    return y


def scan_back(
    library: Library,
    sizes: ScanSizes,
    scanned: Scanned,
    dy: np.ndarray,
    threads: int | None = None,
) -> ScanGradients:
    """The gradients that belong to dy, bfloats shaped as what `scan` gives."""
    rows = len(scanned.mixed), sizes.heads
    found = ScanGradients(
        np.empty(scanned.mixed.shape, np.uint16),
        np.empty_like(scanned.step),
        np.empty_like(scanned.decay),
        np.empty(rows, np.float32),
    )
    call = _scan(sizes, scanned)
    (call.dy,) = _slabs(dy, sizes.parts()[:1])
    call.dvalue, call.dwrite, call.dread = _slabs(found.mixed, sizes.parts())
    call.dstep = array(found.step, scanned.decay.shape, np.float32)
    call.fades.ddecay = array(found.decay, scanned.decay.shape, np.float32)
    call.dskip = array(found.skip, rows, np.float32)
    library.scan(call, back=True, threads=threads)
    return found


def rule(
    library: Library, sizes: RuleSizes, ruled: Ruled, threads: int | None = None
) -> np.ndarray:
    """What queries read of the memories, (B, T, heads*head) bfloats.

    Queries and keys get their lengths here. threads: as above.
    """
    y = np.empty((*ruled.decay.shape[:2], sizes.heads * sizes.head), np.uint16)
    call = _rule(sizes, ruled)
    (call.y,) = _slabs(y, sizes.parts()[2:])
    library.rule(call, back=False, threads=threads)
    return y


def rule_back(
    library: Library, sizes: RuleSizes, ruled: Ruled, dy: np.ndarray, threads: int | None = None
) -> RuleGradients:
    """The gradients that belong to dy, bfloats shaped as what `rule` gives."""
    found = RuleGradients(
        np.empty(ruled.mixed.shape, np.uint16),
        np.empty_like(ruled.rate),
        np.empty_like(ruled.decay),
    )
    call = _rule(sizes, ruled)
    (call.dy,) = _slabs(dy, sizes.parts()[2:])
    call.dquery, call.dkey, call.dvalue = _slabs(found.mixed, sizes.parts())
    call.drate = array(found.rate, ruled.decay.shape, np.float32)
    call.fades.ddecay = array(found.decay, ruled.decay.shape, np.float32)
    library.rule(call, back=True, threads=threads)
    return found


def _scan(sizes: ScanSizes, s: Scanned) -> structures.ScanStruct:
    """The structure of a call without what it writes, as long as all arrays live."""
    require(min(sizes) > 0 and sizes.heads % sizes.groups == 0, "groups of as many heads each")
    call = structures.ScanStruct(
        fades=_fades(s.decay, s.begin, sizes.heads),
        groups=sizes.groups,
        head=sizes.head,
        state=sizes.state,
        step=array(s.step, s.decay.shape, np.float32),
        skip=array(s.skip, (sizes.heads,), np.float32),
    )
    call.value, call.write, call.read = _slabs(s.mixed, sizes.parts(), s.decay.shape)
    return call


def _rule(sizes: RuleSizes, r: Ruled) -> structures.RuleStruct:
    """As `_scan`."""
    require(min(sizes) > 0 and sizes.heads % sizes.key_heads == 0, "heads that share keys evenly")
    call = structures.RuleStruct(
        fades=_fades(r.decay, r.begin, sizes.heads),
        key_heads=sizes.key_heads,
        head=sizes.head,
        keys=sizes.key,
        rate=array(r.rate, r.decay.shape, np.float32),
    )
    call.query, call.key, call.value = _slabs(r.mixed, sizes.parts(), r.decay.shape)
    return call


def _fades(decay: np.ndarray, begin: np.ndarray | None, heads: int) -> structures.Fades:
    rows, tokens = decay.shape[:2]
    require(min(rows, tokens) > 0 and rows * tokens * heads <= _MOST, "sizes of 32 bits")
    return structures.Fades(
        rows=rows,
        tokens=tokens,
        heads=heads,
        decay=array(decay, (rows, tokens, heads), np.float32),
        begin=begins(begin, rows, tokens),
    )


def _slabs(
    x: np.ndarray, parts: tuple[tuple[int, int], ...], tokens: tuple[int, ...] | None = None
) -> list[structures.Slab]:
    """Where the heads of each part of tokens' numbers lie, (B, T, sum of parts); tokens: (B, T)."""
    rows, time, width = x.shape
    fits = width == sum(heads * size for heads, size in parts)
    require(fits and (tokens is None or tokens[:2] == (rows, time)), "all numbers of all tokens")
    require(x.strides[-1] == x.itemsize, "numbers that lie side by side")  # so that parts are views
    found, at = [], 0
    for heads, size in parts:
        part = x[:, :, at : at + heads * size].reshape(rows, time, heads, size)
        found.append(slab(part.transpose(0, 2, 1, 3), (rows, heads, time, size)))
        at += heads * size
    return found
