"""Attention over whole sequences, forward and backward, as the kernels take it: arrays, checked.

Arrays of uint16 hold bfloats. The last dimension of each lies in one piece; the others may lie
apart, as those of a view do. Imports no torch.
"""

import math
from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require, slab

_MOST = 2**31 - 1


class Looking(NamedTuple):
    """Who looks at what. q: (B, H, T, C); k, v: (B, H_kv, S, C), where H_kv divides H; bfloats.

    seen: bool, what is seen, that broadcasts to (B, H, T, S), or None. causal: a query sees the
    keys up to its own number. scale: of the scores, 1 / sqrt(C) if None.
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    seen: np.ndarray | None = None
    causal: bool = False
    scale: float | None = None


def attend(
    library: Library, looking: Looking, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """softmax(scale Q K^T) V, (B, H, T, C) bfloats that lie as (B, T, H, C), and for the way back
    the logarithms of what the softmax divided by, (B, H, T) float32.

    A query that sees nothing gets 0. threads: None for as many as compute best.
    """
    rows, heads, queries, _ = looking.q.shape
    y, sums = like(looking.q), np.empty((rows, heads, queries), np.float32)
    call = _call(looking, sums)
    call.y = slab(y, y.shape)
    library.attend(call, back=False, threads=threads)
    return y, sums


def attend_back(
    library: Library,
    looking: Looking,
    sums: np.ndarray,
    dy: np.ndarray,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of q, k and v, shaped as they are, that belong to dy (B, H, T, C).

    sums: what `attend` gave.
    """
    found = like(looking.q), like(looking.k), like(looking.v)
    call = _call(looking, sums)
    call.dy = slab(dy, looking.q.shape)
    call.dq, call.dk, call.dv = (slab(each, each.shape) for each in found)
    library.attend(call, back=True, threads=threads)
    return found


def _call(looking: Looking, sums: np.ndarray) -> structures.Attend:
    """The structure of a call without what it writes, as long as all arrays live."""
    q, k, v, seen, causal, scale = looking
    (rows, heads, queries, head), (_, kv_heads, keys, _) = q.shape, k.shape
    require(min(*q.shape, *k.shape) > 0 and heads % kv_heads == 0, "heads that share keys evenly")
    require(max(queries, keys, rows * heads, head) <= _MOST // 2**8, "sizes of 32 bits")
    every = (rows, heads, queries, keys)
    return structures.Attend(
        rows=rows,
        heads=heads,
        kv_heads=kv_heads,
        queries=queries,
        keys=keys,
        head=head,
        causal=causal,
        scale=1 / math.sqrt(head) if scale is None else scale,
        q=slab(q, q.shape),
        k=slab(k, (rows, kv_heads, keys, head)),
        v=slab(v, (rows, kv_heads, keys, head)),
        seen=structures.Slab() if seen is None else slab(np.broadcast_to(seen, every), every, bool),
        sums=array(sums, (rows, heads, queries), np.float32),
    )


def like(x: np.ndarray, kind: type = np.uint16) -> np.ndarray:
    """An array (B, H, T, C) that lies as (B, T, H, C): as projections are, and are read."""
    rows, heads, tokens, channels = x.shape
    return np.empty((rows, tokens, heads, channels), kind).transpose(0, 2, 1, 3)
