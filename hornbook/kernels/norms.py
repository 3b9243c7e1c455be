"""Norms, rotary positions and gates as the kernels of training take them: arrays, checked.

Arrays of uint16 hold bfloats. The last dimension of each lies in one piece. Imports no torch.
"""

from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.attend import like
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require, slab

_LANES, _WIDEST, _MOST = 16, 8192, 2**31 - 1


class Turned(NamedTuple):
    """x (B, H, T, C), float32 or bfloats, over its root mean square times weight (C,), float32, if
    there is one; then channel i turns with channel i + pairs by cos and sin, (B or 1, T, pairs)
    float32, if there are such."""

    x: np.ndarray
    weight: np.ndarray | None
    epsilon: float
    cos: np.ndarray | None = None
    sin: np.ndarray | None = None


def fits(channels: int, pairs: int) -> bool:
    """Whether the kernels take heads of so many channels, of which so many pairs turn."""
    return channels % _LANES == 0 and pairs % _LANES == 0 and channels <= _WIDEST


def turn(library: Library, turned: Turned, threads: int | None = None) -> np.ndarray:
    """What it says, (B, H, T, C) bfloats that lie as (B, T, H, C).

    threads: None for as many as compute best.
    """
    y = like(turned.x, np.uint16)
    call = _call(turned)
    call.y = slab(y, y.shape)
    library.norm(call, back=False, threads=threads)
    return y


def turn_back(
    library: Library, turned: Turned, dy: np.ndarray, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The gradients of x, in its type, and of the weight, float32, that belong to dy, bfloats."""
    dx = like(turned.x, turned.x.dtype.type)
    dweight = None if turned.weight is None else np.empty_like(turned.weight)
    call = _call(turned)
    call.dy, call.dx = slab(dy, turned.x.shape), slab(dx, dx.shape, dx.dtype.type)
    call.dweight = None if dweight is None else array(dweight, dweight.shape, np.float32)
    library.norm(call, back=True, threads=threads)
    return dx, dweight


def gate(
    library: Library, gates: np.ndarray, ups: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """silu(gates) ups, bfloats of one shape, a multiple of 16 of them."""
    y = np.empty(gates.shape, np.uint16)
    call = _gated(gates, ups)
    call.y = array(y, gates.shape, np.uint16)
    library.gate(call, back=False, threads=threads)
    return y


def gate_back(
    library: Library,
    gates: np.ndarray,
    ups: np.ndarray,
    dy: np.ndarray,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of gates and ups that belong to dy."""
    found = np.empty(gates.shape, np.uint16), np.empty(gates.shape, np.uint16)
    call = _gated(gates, ups)
    call.dy = array(dy, gates.shape, np.uint16)
    call.dgate, call.dup = (array(each, gates.shape, np.uint16) for each in found)
    library.gate(call, back=True, threads=threads)
    return found


class GatedRows(NamedTuple):
    """norm(x silu(gate)) weight, if `before`, else norm(x) weight silu(gate): x, gate (B, G, T, C)
    bfloats, each group normed by itself. weight: float32, (G*C,), or (C,) for all groups."""

    x: np.ndarray
    gate: np.ndarray
    weight: np.ndarray
    epsilon: float
    before: bool


def norm_gated(library: Library, rows: GatedRows, threads: int | None = None) -> np.ndarray:
    """What it says, (B, G, T, C) bfloats that lie as (B, T, G, C)."""
    y = like(rows.x)
    call = _gated_norm(rows)
    call.y = slab(y, y.shape)
    library.gated_norm(call, back=False, threads=threads)
    return y


def norm_gated_back(
    library: Library, rows: GatedRows, dy: np.ndarray, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of x, gate and weight that belong to dy."""
    dx, dgate, dweight = like(rows.x), like(rows.x), np.empty_like(rows.weight)
    call = _gated_norm(rows)
    call.dy, call.dx, call.dgate = (slab(each, rows.x.shape) for each in (dy, dx, dgate))
    call.dweight = array(dweight, rows.weight.shape, np.float32)
    library.gated_norm(call, back=True, threads=threads)
    return dx, dgate, dweight


def _gated_norm(r: GatedRows) -> structures.GatedNormStruct:
    rows, groups, tokens, size = r.x.shape
    require(fits(size, 0) and r.x.size <= _MOST, "whole registers of channels")
    weights = groups * size if r.before else size
    return structures.GatedNormStruct(
        rows=rows,
        groups=groups,
        tokens=tokens,
        size=size,
        before=r.before,
        epsilon=r.epsilon,
        x=slab(r.x, r.x.shape),
        gate=slab(r.gate, r.x.shape),
        weight=array(r.weight, (weights,), np.float32),
    )


def _call(t: Turned) -> structures.Norm:
    """The structure of a call without what it writes, as long as all arrays live."""
    rows, heads, tokens, head = t.x.shape
    require(t.x.dtype in (np.uint16, np.float32), "floats of 16 or 32 bits")
    require(rows * heads * tokens <= _MOST, "sizes of 32 bits")
    call = structures.Norm(
        rows=rows,
        heads=heads,
        tokens=tokens,
        head=head,
        wide=t.x.dtype == np.float32,
        epsilon=t.epsilon,
        x=slab(t.x, t.x.shape, t.x.dtype.type),
        weight=None if t.weight is None else array(t.weight, (head,), np.float32),
    )
    if t.cos is not None and t.sin is not None:
        every = len(t.cos), tokens, t.cos.shape[-1]
        require(len(t.cos) in (1, rows) and 2 * every[2] <= head, "angles for all that turns")
        call.pairs, call.angles = every[2], 0 if len(t.cos) == 1 else tokens * every[2]
        call.cos, call.sin = array(t.cos, every, np.float32), array(t.sin, every, np.float32)
    require(fits(head, call.pairs), "whole registers of channels")
    return call


def _gated(gates: np.ndarray, ups: np.ndarray) -> structures.Gated:
    require(gates.size % _LANES == 0, "whole registers of numbers")
    return structures.Gated(
        size=gates.size,
        gate=array(gates, gates.shape, np.uint16),
        up=array(ups, gates.shape, np.uint16),
    )
