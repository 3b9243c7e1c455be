"""Whether the kernels compute what they should: two passes through a tiny decoder, against numpy.

It has all that a decoder can have: both numbers of bits, biases, norms of queries and keys, heads
that share keys, two layers, two sequences. Two milliseconds in one thread; beside busy
programs several wait for each other longer than that.
"""

import ctypes
import math

import numpy as np

from hornbook.kernels import pointers
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import Rows
from hornbook.kernels.quantised import BlockWeights, DecoderWeights, Tiles, quantised, tiles
from hornbook.kernels.quantised import matrix_of as whole
from hornbook.kernels.structures import GROUP

_WIDTH, _HIDDEN, _HEADS, _KV_HEADS, _HEAD, _VOCAB = 32, 64, 6, 2, 48, 16
_EPSILON, _CLOSE = 0.1, 0.003
_SLOTS = np.array([1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1], np.int32)
_POSITIONS = np.array([0, 0, 1, 2, 1, 3, 4, 5, 6, 2, 7], np.int32)
_FIRST = 9
"""Rows of the first pass: one more than are computed together. The others look back at them."""

_Dense = tuple[np.ndarray, np.ndarray]
"""A matrix (N, K) and its bias (N,)."""


def checked(loaded: ctypes.CDLL, threads: int | None = 1) -> Library:
    """A library that computes what it should. Raises OSError where it is none.

    threads: that try it; None for all, as when it was built.
    """
    library = Library(loaded)
    if not _is_right(library, threads):
        raise OSError("they compute something else than they should")
    return library


def _is_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) make of some rows what it should be."""
    dense, weights = _tiny()
    x = _numbers((len(_SLOTS), _WIDTH), 3)
    angles = np.outer(np.arange(_POSITIONS.max() + 1), 1.0 / np.arange(1, _HEAD // 2 + 1))
    cos_sin = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    expected = _expected(dense, weights, x, cos_sin[:, _POSITIONS])
    decoder = pointers.decoder(weights)
    keys, values = np.zeros((2, 2, 2, _KV_HEADS, 8, _HEAD), np.float16)
    found = []
    for part in (slice(_FIRST), slice(_FIRST, None)):
        rows, features = Rows(_SLOTS[part], _SLOTS[part], _POSITIONS[part]), x[part].copy()
        passed = pointers.call(weights, rows, features, cos_sin, (keys, values))
        library.run(decoder, passed, threads)
        found.append(features)
    logits = library.product(pointers.matrix(weights.logits), np.concatenate(found), threads)
    return bool(np.abs(logits - expected).max() < _CLOSE * np.abs(expected).max())


def _tiny() -> tuple[list[_Dense], DecoderWeights]:
    """A decoder, and its matrices as numpy multiplies with them."""
    queries, keys = _HEADS * _HEAD, _KV_HEADS * _HEAD
    shapes = (
        (queries + 2 * keys, _WIDTH),
        (_WIDTH, queries),
        (2 * _HIDDEN, _WIDTH),
        (_WIDTH, _HIDDEN),
    )
    made = [_matrix(shape, 4 + 4 * (i % 2), i) for i, shape in enumerate((*shapes, *shapes))]
    made.append(_matrix((_VOCAB, _WIDTH), 8, 9))
    packed = [each for _, each in made]
    blocks = [_block(packed[i : i + 4], i) for i in (0, 4)]
    weights = DecoderWeights(
        vocab=_VOCAB, context=8, width=_WIDTH, heads=_HEADS, kv_heads=_KV_HEADS, head=_HEAD,
        frequencies=np.ones(_HEAD // 2, np.float32), amplitude=1.0,
        epsilon=_EPSILON, head_epsilon=2 * _EPSILON, embed=lambda ids: ids, blocks=blocks,
        last_norm=_norm(_WIDTH, 5), logits=packed[-1],
    )  # fmt: skip
    return [dense for dense, _ in made], weights


def _block(matrices: list[Tiles], seed: int) -> BlockWeights:
    qkv, output, gate_up, down = matrices
    return BlockWeights(
        attention_norm=_norm(_WIDTH, seed),
        query_norm=_norm(_HEAD, seed + 1),
        key_norm=_norm(_HEAD, seed + 2),
        mlp_norm=_norm(_WIDTH, seed + 3),
        qkv=qkv,
        output=output,
        gate_up=gate_up,
        down=down,
    )


def _norm(size: int, seed: int) -> np.ndarray:
    return 1 + _numbers((size,), seed) / 2


def _matrix(shape: tuple[int, int], bits: int, seed: int) -> tuple[_Dense, Tiles]:
    outputs, inputs = shape
    scale = (1.5 + _numbers((outputs, inputs // GROUP), seed)) * 2.0**-bits / 2
    # Numbers that are half floats already: what is rounded is no fault.
    scale = scale.astype(np.float16).astype(np.float32)
    offset = (-0.5 * 2**bits * scale).astype(np.float16).astype(np.float32)
    single = ((_numbers(shape, seed + 1) + 1) / 2 * (2**bits - 1)).astype(np.uint8)
    made = quantised(single, scale, offset, bits)
    bias = _numbers((outputs,), seed + 2) / 4
    return (made.dequantised(), bias), tiles(whole(made), bias)


def _numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Some numbers from -1 to 1, always the same: of multiplied and shifted counts."""
    mixed = np.arange(1 + 1000 * seed, 1 + 1000 * seed + math.prod(shape), dtype=np.uint32)
    for factor in (2654435761, 2246822519):
        mixed = mixed * np.uint32(factor)
        mixed ^= mixed >> 15
    return (mixed.view(np.int32) / np.float32(2**31)).astype(np.float32).reshape(shape)


def _expected(
    dense: list[_Dense], weights: DecoderWeights, x: np.ndarray, cos_sin: np.ndarray
) -> np.ndarray:
    """The logits of rows x (R, D); cos_sin: of their positions, (2, R, C / 2)."""
    for i, block in enumerate(weights.blocks):
        qkv, output, gate_up, down = dense[4 * i : 4 * i + 4]
        y = _times(_normed(x, block.attention_norm, _EPSILON), qkv)
        heads = y.reshape(len(x), -1, _HEAD).swapaxes(0, 1)
        q, k, v = np.split(heads, [_HEADS, _HEADS + _KV_HEADS])
        q = _rotated(_normed(q, block.query_norm, 2 * _EPSILON), cos_sin)
        k = _rotated(_normed(k, block.key_norm, 2 * _EPSILON), cos_sin)
        x = x + _times(_attended(q, k, v).swapaxes(0, 1).reshape(len(x), -1), output)
        gate, up = np.split(_times(_normed(x, block.mlp_norm, _EPSILON), gate_up), 2, 1)
        x = x + _times(gate / (1 + np.exp(-gate)) * up, down)
    return _times(_normed(x, weights.last_norm, _EPSILON), dense[-1])


def _attended(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Heads (H, R, C) that share keys and values: each row looks at its own sequence so far."""
    k, v = (np.repeat(each, _HEADS // _KV_HEADS, 0) for each in (k, v))
    scores = q @ k.swapaxes(1, 2) / np.sqrt(np.float32(_HEAD))
    same = (_SLOTS[:, None] == _SLOTS) & (_POSITIONS[:, None] >= _POSITIONS)
    weights = np.where(same, np.exp(scores), 0)
    found: np.ndarray = weights / weights.sum(-1, keepdims=True) @ v
    return found


def _rotated(x: np.ndarray, cos_sin: np.ndarray) -> np.ndarray:
    (cos, sin), (first, second) = cos_sin, np.split(x, 2, -1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def _normed(x: np.ndarray, weight: np.ndarray | None, epsilon: float) -> np.ndarray:
    assert weight is not None
    found: np.ndarray = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + epsilon) * weight
    return found


def _times(x: np.ndarray, dense: _Dense) -> np.ndarray:
    found: np.ndarray = x @ dense[0].T + dense[1]
    return found
