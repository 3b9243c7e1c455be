"""Arrays as the kernels' pointers, each checked: what will be read or written lies inside it.

The kernels believe the sizes that they are given. `array` is the only place where arrays become
pointers, so whoever reads weights, from whatever file, cannot make the kernels leave an array.
Knows arrays and the kernels' structures; knows nothing of files.
"""

import ctypes
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.kernels import structures
from hornbook.kernels.quantised import BlockWeights, DecoderWeights, Tiles
from hornbook.kernels.structures import ABREAST, TILE

_MOST = 2**31 - 1
"""The kernels' sizes are 32 bits, and `ctypes` cuts off what is more."""


class Rows(NamedTuple):
    """Tokens of a call: ids, slots and positions, (R,) int32 each."""

    ids: np.ndarray
    slots: np.ndarray
    positions: np.ndarray


class Kept(NamedTuple):
    """Keys and values as the kernels find them, as long as their arrays live. keys, values: where
    each layer's begin. strides: of slots and heads."""

    keys: "ctypes.Array[ctypes.c_void_p]"
    values: "ctypes.Array[ctypes.c_void_p]"
    slots: int
    room: int
    strides: tuple[int, int]


def matrix(tiles: Tiles) -> structures.Matrix:
    """A matrix, as long as its arrays live."""
    require(tiles.form in structures.FORMS, "one of their forms")
    unit = tiles.form.unit
    whole = tiles.outputs % TILE == 0 and tiles.inputs % unit == 0
    require(whole and tiles.outputs > 0 and tiles.inputs > 0, "whole tiles and groups")
    require(max(tiles.outputs, tiles.inputs) <= _MOST, "sizes of 32 bits")
    shape = tiles.outputs // TILE, tiles.inputs // unit, structures.unit_bytes(tiles.form)
    blocks = array(tiles.blocks, shape, np.uint8)
    bias = None if tiles.bias is None else array(tiles.bias, (tiles.outputs,), np.float32)
    form = structures.FORMS.index(tiles.form)
    return structures.Matrix(blocks, bias, tiles.outputs, tiles.inputs, form)


def product(matrix: structures.Matrix, x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """The addresses of inputs (R, inputs) and outputs (R, outputs) of a product."""
    inputs, outputs = (len(x), matrix.inputs), (len(x), matrix.outputs)
    return array(x, inputs, np.float32), array(y, outputs, np.float32)


def decoder(weights: DecoderWeights) -> structures.Decoder:
    """A whole decoder, as long as its arrays live."""
    w = weights
    require(w.fits(), "sizes that the kernels take")
    require(min(w.vocab, w.context, w.heads, w.kv_heads) > 0, "positive sizes")
    require(w.heads % w.kv_heads == 0, "heads that share keys and values evenly")
    require(2 * w.pairs() <= w.head, "no more channels that turn than a head has")
    hidden = w.blocks[0].mlps[0].down.inputs
    layers = (structures.Layer * len(w.blocks))(*(_layer(b, w, hidden) for b in w.blocks))
    _product(w.logits, w.vocab, w.width)
    return structures.Decoder(
        width=w.width,
        hidden=hidden,
        heads=w.heads,
        kv_heads=w.kv_heads,
        head=w.head,
        pairs=w.pairs(),
        layers=len(w.blocks),
        epsilon=w.epsilon,
        head_epsilon=w.head_epsilon,
        layer=layers,
        last_norm=array(w.last_norm, (w.width,), np.float32),
    )


def kept(weights: DecoderWeights, keys: np.ndarray, values: np.ndarray) -> Kept:
    """keys, values: (layers, slots, kv_heads, room, head) float16, keys in the kernels' order."""
    slots, room = keys.shape[1], keys.shape[3]
    require(room % ABREAST == 0, f"room for a multiple of {ABREAST} tokens")
    shape = len(weights.blocks), slots, weights.kv_heads, room, weights.head
    for cache in (keys, values):
        array(cache, shape, np.float16)
    strides = keys.strides[1] // 2, keys.strides[2] // 2
    return Kept(_parts(keys), _parts(values), slots, room, strides)


def call(
    weights: DecoderWeights, rows: Rows, x: np.ndarray, turns: np.ndarray, kept: Kept
) -> structures.Pass:
    """A pass of rows. x: (R, D). turns: of each turning cosines and sines, (N, 2, P, pairs)."""
    count, positions = len(rows.ids), turns.shape[2]
    first, last = limits(rows.positions)
    reach = last + 1
    require(first >= 0 and reach <= min(kept.room, positions), "room")
    first, last = limits(rows.slots)
    require(first >= 0 and last < kept.slots, "slots that are there")
    tables = len(weights.turnings), 2, positions, weights.pairs()
    return structures.Pass(
        count,
        reach,
        positions,
        array(x, (count, weights.width), np.float32),
        array(rows.slots, (count,), np.int32),
        array(rows.positions, (count,), np.int32),
        array(turns, tables, np.float32),
        kept.keys,
        kept.values,
        *kept.strides,
    )


def _layer(block: BlockWeights, w: DecoderWeights, hidden: int) -> structures.Layer:
    queries, keys, looks = w.heads * w.head, w.kv_heads * w.head, block.looks
    both = (block.query_norm is None) == (block.key_norm is None)
    require(both, "norms of queries and of keys")
    turning = -1 if looks.turning is None else looks.turning
    require(-1 <= turning < len(w.turnings), "frequencies for all that turns")
    require(0 <= looks.window <= _MOST, "a window of tokens")
    require(block.activation in structures.ACTIVATIONS, "one of their activations")
    return structures.Layer(
        attention_norm=_norm(block.attention_norm, w.width),
        attention_after=_norm(block.attention_after, w.width),
        query_norm=_norm(block.query_norm, queries if looks.whole else w.head),
        key_norm=_norm(block.key_norm, keys if looks.whole else w.head),
        mlp_norm=_norm(block.mlp_norm, w.width),
        mlp_after=_norm(block.mlp_after, w.width),
        query=_product(block.query, queries, w.width),
        key=_product(block.key, keys, w.width),
        value=_product(block.value, keys, w.width),
        output=_product(block.output, w.width, queries),
        expert=_experts(block, w.width, hidden),
        router=_router(block, w.width),
        residual=block.residual,
        scale=looks.scale,
        cap=looks.cap,
        window=looks.window,
        angles=turning,
        whole=looks.whole,
        activation=structures.ACTIVATIONS.index(block.activation),
        experts=len(block.mlps),
        chosen=block.routing.chosen if block.routing else 1,
        normalised=block.routing.normalised if block.routing else False,
    )


def _experts(
    block: BlockWeights, width: int, hidden: int
) -> "ctypes.Array[structures.MLPMatrices]":
    found = (
        structures.MLPMatrices(
            _product(mlp.gate, hidden, width),
            _product(mlp.up, hidden, width),
            _product(mlp.down, width, hidden),
        )
        for mlp in block.mlps
    )
    return (structures.MLPMatrices * len(block.mlps))(*found)


def _router(block: BlockWeights, width: int) -> int | None:
    count = len(block.mlps)
    if block.routing is None:
        require(count == 1, "a router where there are several MLPs")
        return None
    require(1 <= block.routing.chosen <= count, "as many MLPs as a token meets")
    return array(block.routing.router, (count, width), np.float32)


def _norm(weight: np.ndarray | None, size: int) -> int | None:
    return None if weight is None else array(weight, (size,), np.float32)


def _product(tiles: Tiles, outputs: int, inputs: int) -> structures.Matrix:
    same = (tiles.outputs, tiles.inputs) == (outputs, inputs)
    require(same, f"a matrix of {outputs} x {inputs}, not {tiles.outputs} x {tiles.inputs}")
    return matrix(tiles)


def array(array: np.ndarray, shape: tuple[int, ...], kind: type) -> int:
    """The address of an array of this shape and type that lies in one piece."""
    if array.shape != shape or array.dtype != kind or not array.flags.c_contiguous:
        require(False, f"an array of {shape}, not {array.dtype} {array.shape}")
    return int(array.ctypes.data)


def limits(numbers: np.ndarray) -> tuple[int, int]:
    """The least and the largest of a few whole numbers; by NumPy it takes three times as long."""
    few = numbers.tolist()
    return min(few), max(few)


def _parts(layers: np.ndarray) -> "ctypes.Array[ctypes.c_void_p]":
    """Where each layer's part begins."""
    first, step, count = layers.ctypes.data, layers.strides[0], len(layers)
    return (ctypes.c_void_p * count)(*(first + i * step for i in range(count)))


def require(right: bool, what: str) -> None:
    if not right:
        raise HornbookError(f"The model cannot be computed: the kernels need {what}.")
