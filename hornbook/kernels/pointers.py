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
    hidden = w.blocks[0].down.inputs
    layers = (structures.Layer * len(w.blocks))(*(_layer(b, w, hidden) for b in w.blocks))
    _product(w.logits, w.vocab, w.width)
    return structures.Decoder(
        width=w.width,
        hidden=hidden,
        heads=w.heads,
        kv_heads=w.kv_heads,
        head=w.head,
        layers=len(w.blocks),
        epsilon=w.epsilon,
        head_epsilon=w.head_epsilon,
        layer=layers,
        last_norm=array(w.last_norm, (w.width,), np.float32),
    )


def call(
    weights: DecoderWeights,
    rows: Rows,
    x: np.ndarray,
    cos_sin: np.ndarray,
    caches: tuple[np.ndarray, np.ndarray],
) -> structures.Pass:
    """A pass of rows. x: (R, D). cos_sin: cosines and sines (2, P, C / 2). caches: keys and values,
    (layers, slots, kv_heads, room, head) float16, keys in the kernels' order."""
    count, half = len(rows.ids), weights.head // 2
    reach = int(rows.positions.max()) + 1
    slots, room = caches[0].shape[1], caches[0].shape[3]
    require(rows.positions.min() >= 0 and reach <= min(room, cos_sin.shape[1]), "room")
    require(room % ABREAST == 0, f"room for a multiple of {ABREAST} tokens")
    require(rows.slots.min() >= 0 and int(rows.slots.max()) < slots, "slots that are there")
    shape = len(weights.blocks), slots, weights.kv_heads, room, weights.head
    for cache in caches:
        array(cache, shape, np.float16)
    first = array(cos_sin, (2, cos_sin.shape[1], half), np.float32)
    return structures.Pass(
        rows=count,
        reach=reach,
        x=array(x, (count, weights.width), np.float32),
        slot=array(rows.slots, (count,), np.int32),
        position=array(rows.positions, (count,), np.int32),
        cos=first,
        sin=first + cos_sin.strides[0],
        keys=_parts(caches[0]),
        values=_parts(caches[1]),
        slot_stride=caches[0].strides[1] // 2,
        head_stride=caches[0].strides[2] // 2,
    )


def _layer(block: BlockWeights, w: DecoderWeights, hidden: int) -> structures.Layer:
    queries, keys = w.heads * w.head, w.kv_heads * w.head
    normed = block.query_norm, block.key_norm
    require((normed[0] is None) == (normed[1] is None), "norms of queries and of keys")
    query, key = (None if n is None else array(n, (w.head,), np.float32) for n in normed)
    return structures.Layer(
        attention_norm=array(block.attention_norm, (w.width,), np.float32),
        query_norm=query,
        key_norm=key,
        mlp_norm=array(block.mlp_norm, (w.width,), np.float32),
        query=_product(block.query, queries, w.width),
        key=_product(block.key, keys, w.width),
        value=_product(block.value, keys, w.width),
        output=_product(block.output, w.width, queries),
        gate=_product(block.gate, hidden, w.width),
        up=_product(block.up, hidden, w.width),
        down=_product(block.down, w.width, hidden),
    )


def _product(tiles: Tiles, outputs: int, inputs: int) -> structures.Matrix:
    same = (tiles.outputs, tiles.inputs) == (outputs, inputs)
    require(same, f"a matrix of {outputs} x {inputs}, not {tiles.outputs} x {tiles.inputs}")
    return matrix(tiles)


def array(array: np.ndarray, shape: tuple[int, ...], kind: type) -> int:
    """The address of an array of this shape and type that lies in one piece."""
    right = array.shape == shape and array.dtype == kind and array.flags.c_contiguous
    require(right, f"an array of {shape}, not {array.dtype} {array.shape}")
    return int(array.ctypes.data)


def _parts(layers: np.ndarray) -> "ctypes.Array[ctypes.c_void_p]":
    """Where each layer's part begins."""
    first, step, count = layers.ctypes.data, layers.strides[0], len(layers)
    return (ctypes.c_void_p * count)(*(first + i * step for i in range(count)))


def require(right: bool, what: str) -> None:
    if not right:
        raise HornbookError(f"The model cannot be computed: the kernels need {what}.")
