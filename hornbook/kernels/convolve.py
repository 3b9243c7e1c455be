"""Causal convolutions of single channels as the kernels of training take them: arrays, checked.

Arrays of uint16 hold bfloats, all others float32. Imports no torch.
"""

from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require, slab

_LANES, _TAPS, _MOST = 16, 4, 2**31 - 1


class Convolved(NamedTuple):
    """bias + sum_k weight_k x_(t-K+1+k), or SiLU of it if `active`: x (B, T, C) bfloats, weight
    (K, C), bias (C,) or None. begin: as `begins` takes it; what lies before counts as 0."""

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    begin: np.ndarray | None
    active: bool


def fits(channels: int, taps: int) -> bool:
    """Whether the kernels take so many channels and taps."""
    return channels % _LANES == 0 and 1 <= taps <= _TAPS


def convolve(library: Library, convolved: Convolved, threads: int | None = None) -> np.ndarray:
    """What it says, (B, T, C) bfloats. threads: None for as many as compute best."""
    y = np.empty(convolved.x.shape, np.uint16)
    call = _call(convolved)
    call.y = _slab(y)
    library.convolve(call, back=False, threads=threads)
    return y


def convolve_back(
    library: Library, convolved: Convolved, dy: np.ndarray, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients that belong to dy: of x, and of weight and bias in each row, (B, K + 1, C), the
    bias last."""
    rows, _, channels = convolved.x.shape
    dx = np.empty(convolved.x.shape, np.uint16)
    dweight = np.empty((rows, len(convolved.weight) + 1, channels), np.float32)
    require(dy.shape == dx.shape, "a gradient of all that is convolved")
    call = _call(convolved)
    call.dy, call.dx = _slab(dy), _slab(dx)
    call.dweight = array(dweight, dweight.shape, np.float32)
    library.convolve(call, back=True, threads=threads)
    return dx, dweight


def begins(begin: np.ndarray | None, rows: int, tokens: int) -> int | None:
    """The address of the first token of each token's segment, (B, T) int32, or None."""
    if begin is None:
        return None
    found = array(begin, (rows, tokens), np.int32)
    right = (begin >= 0).all() and (begin <= np.arange(tokens)).all()
    require(bool(right), "segments that begin before their tokens")
    return found


def _call(v: Convolved) -> structures.ConvolutionStruct:
    """The structure of a call without what it writes, as long as all arrays live."""
    rows, tokens, channels = v.x.shape
    require(fits(channels, len(v.weight)), "whole registers of channels, and few taps")
    require(v.x.size <= _MOST, "sizes of 32 bits")
    return structures.ConvolutionStruct(
        rows=rows,
        tokens=tokens,
        channels=channels,
        taps=len(v.weight),
        active=v.active,
        x=_slab(v.x),
        weight=array(v.weight, (len(v.weight), channels), np.float32),
        bias=None if v.bias is None else array(v.bias, (channels,), np.float32),
        begin=begins(v.begin, rows, tokens),
    )


def _slab(x: np.ndarray) -> structures.Slab:
    return slab(x[:, None], (len(x), 1, *x.shape[1:]))
