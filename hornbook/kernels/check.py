"""Whether the kernels compute what they should: two passes through a tiny decoder, against numpy.

It has all that a decoder can have: every form of matrix, biases, norms before and behind, norms of
queries and keys, heads that share keys, a window and a cap, positions and none, a mixture of
experts, two layers, two sequences, and as many rows at a time as are computed in ways of their own.
Some milliseconds in one thread; beside busy programs several wait for each other longer than that.
"""

import ctypes
import itertools
import math
from collections.abc import Iterator

import numpy as np

from hornbook.kernels import pointers
from hornbook.kernels.check_delta import defined, delta_is_right
from hornbook.kernels.check_recurrence import recurrences_are_right
from hornbook.kernels.check_training import training_is_right
from hornbook.kernels.codes import Codes, Form
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import Rows
from hornbook.kernels.quantised import (
    AttentionWeights,
    BlockWeights,
    DecoderWeights,
    DeltaSizes,
    DeltaWeights,
    Looks,
    MLPWeights,
    RecallWeights,
    Routing,
    Tiles,
    Turning,
    tiles,
)
from hornbook.kernels.quantised import matrix_of as whole
from hornbook.kernels.structures import FORMS, GROUP

_WIDTH, _HIDDEN, _HEADS, _KV_HEADS, _HEAD, _VOCAB = 256, 64, 6, 2, 48, 16
_PAIRS, _EPSILON, _CLOSE = 20, 0.1, 0.0015
_SLOTS = np.array([1, 0, 1, 1, 0, 0, *[1] * 11, 0, *[1] * 14], np.int32)
_POSITIONS = np.array([0, 0, 1, 2, 1, 2, *range(3, 14), 3, *range(14, 28)], np.int32)
_FIRST = 31
"""Rows of the first pass, which are computed as 16 (or 8 and 8), 8, 4, 2 and 1; some are neighbours
of a sequence. The last one looks back at them."""
_RULE = DeltaSizes(heads=4, head=16, key_heads=2, key=16, taps=3, epsilon=_EPSILON, spread=True)
_LOOKS = Looks(0.2, turning=1), None, Looks(0.4, cap=1.0, window=3, turning=None, whole=True)
_RESIDUALS, _ACTIVATIONS = (0.25, 0.5, 6.0), ("silu", "silu", "gelu_tanh")
"""Of three blocks, so that parts of all are seen in the end; the second has the gated delta rule in
the place of an attention, the last one norms behind what it adds and none of what its attention
reads."""
_MLPS, _CHOSEN = (1, 3, 3), 2
"""Of each, and how many a row meets where there are several."""

_Dense = tuple[np.ndarray, np.ndarray]
"""A matrix (N, K) and its bias (N,)."""


def checked(loaded: ctypes.CDLL, threads: int | None = 1) -> Library:
    """A library that computes what it should. Raises OSError where it is none.

    threads: that try it; None for all, as when it was built.
    """
    library = Library(loaded)
    tries = _is_right, delta_is_right, training_is_right, recurrences_are_right
    if not all(is_right(library, threads) for is_right in tries):
        raise OSError("they compute something else than they should")
    return library


def _is_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) make of some rows what it should be."""
    dense, weights = _tiny()
    x, turns = _inputs()
    expected = _expected(dense, weights, x, turns[1][:, _POSITIONS])
    differences = np.abs(_passed(library, weights, threads) - expected)
    return bool(differences.max() < _CLOSE * np.abs(expected).max())


def _inputs() -> tuple[np.ndarray, np.ndarray]:
    """Rows (R, D), and two tables of cosines and sines of all positions, (2, 2, P, pairs)."""
    angles = np.outer(np.arange(_POSITIONS.max() + 1), 1.0 / np.arange(1, _PAIRS + 1))
    turned = [np.stack([np.cos(each), np.sin(each)]) for each in (2 * angles, angles)]
    return _numbers((len(_SLOTS), _WIDTH), 3), np.stack(turned).astype(np.float32)


def _passed(library: Library, weights: DecoderWeights, threads: int | None) -> np.ndarray:
    """The logits of these rows, as the kernels make them in two passes."""
    x, turns = _inputs()
    decoder = pointers.decoder(weights)
    shapes, types = pointers.memory_shapes(weights, 2, 32), (np.float16, np.float32)
    memory = pointers.DecoderMemory(*(np.zeros(shapes[i], types[i // 2]) for i in range(4)))
    kept = pointers.kept(weights, memory)
    found = []
    for part in (slice(_FIRST), slice(_FIRST, None)):
        rows, features = Rows(_SLOTS[part], _SLOTS[part], _POSITIONS[part]), x[part].copy()
        pieces = pointers.pieces(rows.slots)
        passed = pointers.call(weights, rows, features, turns, kept, pieces)
        library.run(decoder, passed, threads)
        found.append(features)
    return library.product(pointers.matrix(weights.logits), np.concatenate(found), threads)


def _tiny() -> tuple[list[_Dense], DecoderWeights]:
    """A decoder, and its matrices as numpy multiplies with them."""
    shapes = [shape for number in range(len(_MLPS)) for shape in _shapes(number)]
    # Large units only fit a wide input: those of queries, keys, values and gates take them first.
    forms = sorted(FORMS, key=lambda form: form.unit)
    made = []
    for i, shape in enumerate((*shapes, (_VOCAB, _WIDTH))):
        form = forms.pop(0 if shape[1] % 256 else -1) if len(forms) > 1 else forms[0]
        made.append(_matrix(shape, form, i))
    packed = iter(each for _, each in made)
    blocks = [
        _block(list(itertools.islice(packed, len(_shapes(number)))), number)
        for number in range(len(_MLPS))
    ]
    weights = DecoderWeights(
        vocab=_VOCAB, context=32, width=_WIDTH, heads=_HEADS, kv_heads=_KV_HEADS, head=_HEAD,
        turnings=[Turning(np.ones(_PAIRS, np.float32))] * 2,
        epsilon=_EPSILON, head_epsilon=2 * _EPSILON, embed=lambda ids: ids, blocks=blocks,
        last_norm=_norm(_WIDTH, 5), logits=next(packed),
    )  # fmt: skip
    return [dense for dense, _ in made], weights


def _shapes(number: int) -> list[tuple[int, int]]:
    """Of the matrices of a block."""
    queries, keys = _HEADS * _HEAD, _KV_HEADS * _HEAD
    read = (queries, keys, keys, queries) if _LOOKS[number] else (_RULE.convolved, _RULE.inner)
    mixer = [*((rows, _WIDTH) for rows in read), (_WIDTH, queries if _LOOKS[number] else read[-1])]
    return mixer + [(_HIDDEN, _WIDTH), (_HIDDEN, _WIDTH), (_WIDTH, _HIDDEN)] * _MLPS[number]


def _block(matrices: list[Tiles], number: int) -> BlockWeights:
    count, behind = len(matrices) - 3 * _MLPS[number], number == 2
    mlps = matrices[count:]
    return BlockWeights(
        mixer_norm=None if behind else _norm(_WIDTH, 7 * number),
        mixer_after=_norm(_WIDTH, 4) if behind else None,
        mlp_norm=_norm(_WIDTH, 7 * number + 3),
        mlp_after=_norm(_WIDTH, 6) if behind else None,
        mixer=_mixer(matrices[:count], number),
        mlps=[MLPWeights(*mlps[i : i + 3]) for i in range(0, len(mlps), 3)],
        routing=_routing() if _MLPS[number] > 1 else None,
        residual=_RESIDUALS[number],
        activation=_ACTIVATIONS[number],
    )


def _mixer(matrices: list[Tiles], number: int) -> AttentionWeights | RecallWeights:
    *read, output = matrices
    if (looks := _LOOKS[number]) is None:
        rate, step = _numbers((2, _RULE.heads, _WIDTH), 12) / 8
        taps = _numbers((_RULE.taps, _RULE.convolved), 13)
        bias, decay = _numbers((2, _RULE.heads), 14)
        projected, gate = read
        numbers = DeltaWeights(taps, bias, decay, _norm(_RULE.head, 15))
        return RecallWeights(_RULE, projected, gate, output, rate, step, numbers)
    query, key, value, gate = read
    queries, keys = (_HEADS * _HEAD, _KV_HEADS * _HEAD) if looks.whole else (_HEAD, _HEAD)
    norms = _norm(queries, 7 * number + 1), _norm(keys, 7 * number + 2)
    return AttentionWeights(query, key, value, output, *norms, looks, gate)


def _routing() -> Routing:
    return Routing(_numbers((_MLPS[2], _WIDTH), 11) / 4, _CHOSEN)


def _norm(size: int, seed: int) -> np.ndarray:
    return 1 + _numbers((size,), seed) / 2


def _matrix(shape: tuple[int, int], form: Form, seed: int) -> tuple[_Dense, Tiles]:
    made = _codes(shape, form, seed)
    bias = _numbers(shape[:1], seed + 2) / 4
    return (made.dequantised(), bias), tiles(whole(made), bias)


def _codes(shape: tuple[int, int], form: Form, seed: int) -> Codes:
    """Any codes, with scales that are half floats already: what is rounded is no fault."""
    outputs, inputs = shape
    if form.exponent:
        halves = (_numbers(shape, seed) / 2).astype(np.float16)
        upper = (_numbers(shape, seed).view(np.uint32) >> 16).astype(np.uint16)
        return Codes(form, halves.view(np.uint16) if form.exponent == 5 else upper)
    single = ((_numbers(shape, seed + 1) + 1) / 2 * (2**form.bits - 1)).astype(np.uint8)
    units, groups = (outputs, inputs // form.unit), (outputs, inputs // form.group)
    most = (127.0 if form.table else 2.0 ** (form.bits - 1)) * (8 if form.unit > GROUP else 1)
    scale = ((1.5 + _numbers(units, seed)) / 4 / most).astype(np.float16).astype(np.float32)
    offset = -scale if form.unit > GROUP else -scale * 2 ** (form.bits - 1)
    found = Codes(form, single, scale, offset if form.offsets else None)
    if form.unit == GROUP:
        return found
    steps, zeros = (((_numbers(groups, seed + i) + 1) * 7.5).astype(np.int8) for i in (3, 4))
    return found._replace(
        steps=steps if form.offsets else steps - np.int8(8),
        offset_steps=zeros if form.offsets else None,
    )


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
    """The logits of rows x (R, D); cos_sin: of their positions, (2, R, pairs)."""
    left = iter(dense)
    for block in weights.blocks:
        y = _normed(x, block.mixer_norm, _EPSILON)
        if isinstance(block.mixer, AttentionWeights):
            added = _looked(y, block.mixer, left, cos_sin)
        else:
            added = _recalled(y, block.mixer, left)
        x = x + block.residual * _normed(added, block.mixer_after, _EPSILON)
        mlps = [tuple(itertools.islice(left, 3)) for _ in block.mlps]
        y = _normed(x, block.mlp_norm, _EPSILON)
        parts = [
            _times(_activated(_times(y, gate), block.activation) * _times(y, up), down)
            for gate, up, down in mlps
        ]
        added = (_met(y, block.routing)[..., None] * np.stack(parts, 1)).sum(1)
        x = x + block.residual * _normed(added, block.mlp_after, _EPSILON)
    return _times(_normed(x, weights.last_norm, _EPSILON), next(left))


def _looked(
    y: np.ndarray, mixer: AttentionWeights, left: Iterator[_Dense], cos_sin: np.ndarray
) -> np.ndarray:
    """What an attention adds to rows (R, D)."""
    q, k, v, gate = (_times(y, next(left)) for _ in range(4))
    q, k = (_of_heads(each, norm, mixer.looks, cos_sin) for each, norm in (
        (q, mixer.query_norm), (k, mixer.key_norm)))  # fmt: skip
    found = _attended(q, k, v.reshape(len(y), -1, _HEAD).swapaxes(0, 1), mixer.looks)
    return _times(
        found.swapaxes(0, 1).reshape(len(y), -1) / (1 + np.exp(-np.maximum(gate, -80))), next(left)
    )


def _recalled(y: np.ndarray, mixer: RecallWeights, left: Iterator[_Dense]) -> np.ndarray:
    """What the gated delta rule adds to rows (R, D)."""
    strengths = (np.einsum("ri,hi->rh", y, weight) for weight in (mixer.rate, mixer.step))
    projected = np.concatenate([*(_times(y, next(left)) for _ in range(2)), *strengths], 1)
    found = np.empty((len(y), _RULE.inner), np.float32)
    for slot in (0, 1):
        own = slot == _SLOTS
        found[own] = defined(mixer.sizes, mixer.numbers, projected[own])
    return _times(found, next(left))


def _met(x: np.ndarray, routing: Routing | None) -> np.ndarray:
    """What each MLP counts for rows x (R, D): (R, E)."""
    if routing is None:
        return np.ones((len(x), 1), np.float32)
    shares = np.exp(np.einsum("ri,ei->re", x, routing.router))
    least = np.sort(shares)[:, -routing.chosen, None]
    kept = np.where(shares >= least, shares, 0)
    found: np.ndarray = kept / kept.sum(1, keepdims=True)
    return found


def _of_heads(
    x: np.ndarray, norm: np.ndarray | None, looks: Looks, cos_sin: np.ndarray
) -> np.ndarray:
    """Queries or keys of rows (R, H * C), normed and turned: (H, R, C)."""
    if looks.whole:
        x = _normed(x, norm, 2 * _EPSILON)
    heads = x.reshape(len(x), -1, _HEAD).swapaxes(0, 1)
    if not looks.whole:
        heads = _normed(heads, norm, 2 * _EPSILON)
    return heads if looks.turning is None else _rotated(heads, cos_sin)


def _attended(q: np.ndarray, k: np.ndarray, v: np.ndarray, looks: Looks) -> np.ndarray:
    """Heads (H, R, C) that share keys and values: each row looks at its own sequence so far."""
    k, v = (np.repeat(each, _HEADS // _KV_HEADS, 0) for each in (k, v))
    scores = q @ k.swapaxes(1, 2) * np.float32(looks.scale)
    if looks.cap:
        scores = looks.cap * np.tanh(scores / looks.cap)
    ago = _POSITIONS[:, None] - _POSITIONS
    seen = (_SLOTS[:, None] == _SLOTS) & (ago >= 0) & (ago < (looks.window or len(ago)))
    weights = np.where(seen, np.exp(scores), 0)
    found: np.ndarray = weights / weights.sum(-1, keepdims=True) @ v
    return found


def _activated(x: np.ndarray, kind: str) -> np.ndarray:
    inner = x if kind == "silu" else math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)
    found: np.ndarray = x / (1 + np.exp(-np.maximum(inner, -80)))
    return found


def _rotated(x: np.ndarray, cos_sin: np.ndarray) -> np.ndarray:
    (cos, sin), (first, second, rest) = cos_sin, np.split(x, [_PAIRS, 2 * _PAIRS], -1)
    turned = first * cos - second * sin, second * cos + first * sin
    return np.concatenate([*turned, rest], -1)


def _normed(x: np.ndarray, weight: np.ndarray | None, epsilon: float) -> np.ndarray:
    if weight is None:
        return x
    found: np.ndarray = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + epsilon) * weight
    return found


def _times(x: np.ndarray, dense: _Dense) -> np.ndarray:
    # Not by BLAS, whose threads wait for each other where other programs run.
    found: np.ndarray = np.einsum("ri,oi->ro", x, dense[0]) + dense[1]
    return found
