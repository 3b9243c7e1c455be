"""Arrays as the kernels' pointers, each checked: what will be read or written lies inside it.

The kernels believe the sizes that they are given. `array` and `slab` alone make pointers of arrays,
so whoever reads weights, from whatever file, cannot make the kernels leave an array.
Knows arrays and the kernels' structures; knows nothing of files.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.kernels import structures
from hornbook.kernels.quantised import (
    AttentionWeights,
    BlockWeights,
    DecoderWeights,
    DeltaSizes,
    DeltaWeights,
    RecallWeights,
    Tiles,
    whole_tiles,
)
from hornbook.kernels.structures import ABREAST, TILE

_MOST = 2**31 - 1
"""The kernels' sizes are 32 bits, and `ctypes` cuts off what is more."""


class Rows(NamedTuple):
    """Tokens of a call: ids, slots and positions, (R,) int32 each."""

    ids: np.ndarray
    slots: np.ndarray
    positions: np.ndarray


class Pieces(NamedTuple):
    """The rows of each slot: the first in `token`, how many they are, and their slot, (N,) int32
    each. token: places of rows, (R,) int32."""

    first: np.ndarray
    counts: np.ndarray
    slot: np.ndarray
    token: np.ndarray


Parts: TypeAlias = "ctypes.Array[ctypes.c_void_p]"


class KeptArrays(NamedTuple):
    """What the kernels remember, as long as its arrays live: where each layer's part begins, or
    None. strides: of slots and heads of keys and values."""

    keys: Parts
    values: Parts
    past: Parts
    state: Parts
    slots: int
    room: int
    strides: tuple[int, int]


class DecoderMemory(NamedTuple):
    """keys, values: (attentions, slots, kv_heads, room, head) float16, keys in the kernels' order.
    past: (rules, slots, taps - 1, convolved) and state: (rules, slots, heads, head, key) float32,
    of layers of the gated delta rule. Where there are no such layers, of one."""

    keys: np.ndarray
    values: np.ndarray
    past: np.ndarray
    state: np.ndarray


def matrix(tiles: Tiles) -> structures.MatrixStruct:
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
    return structures.MatrixStruct(blocks, bias, tiles.outputs, tiles.inputs, form)


def product(matrix: structures.MatrixStruct, x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """The addresses of inputs (R, inputs) and outputs (R, outputs) of a product."""
    inputs, outputs = (len(x), matrix.inputs), (len(x), matrix.outputs)
    return array(x, inputs, np.float32), array(y, outputs, np.float32)


def decoder(weights: DecoderWeights) -> structures.DecoderStruct:
    """A whole decoder, as long as its arrays live."""
    w = weights
    require(w.fits(), "sizes that the kernels take")
    require(min(w.vocab, w.context, w.heads, w.kv_heads) > 0, "positive sizes")
    require(w.heads % w.kv_heads == 0, "heads that share keys and values evenly")
    require(2 * w.pairs() <= w.head, "no more channels that turn than a head has")
    hidden = w.blocks[0].mlps[0].down.inputs
    layers = (structures.LayerStruct * len(w.blocks))(*(_layer(b, w, hidden) for b in w.blocks))
    _product(w.logits, whole_tiles(w.vocab), w.width)
    return structures.DecoderStruct(
        width=w.width,
        hidden=hidden,
        heads=w.heads,
        kv_heads=w.kv_heads,
        head=w.head,
        pairs=w.pairs(),
        layers=len(w.blocks),
        gated=w.gated(),
        epsilon=w.epsilon,
        head_epsilon=w.head_epsilon,
        layer=layers,
        last_norm=array(w.last_norm, (w.width,), np.float32),
    )


def memory_shapes(w: DecoderWeights, slots: int, room: int) -> list[tuple[int, ...]]:
    """Those of a `DecoderMemory` of so many sequences of so many tokens."""
    rules = w.rules()
    sizes = rules[0] if rules else DeltaSizes(0, 0, 0, 0, 1, 0.0)
    attentions, others = max(1, len(w.blocks) - len(rules)), max(1, len(rules))
    looked = attentions, slots, w.kv_heads, room, w.head
    past = others, slots, sizes.taps - 1, sizes.convolved
    return [looked, looked, past, (others, slots, sizes.heads, sizes.head, sizes.key)]


def kept(weights: DecoderWeights, memory: DecoderMemory) -> KeptArrays:
    """A memory as the kernels find it."""
    slots, room = memory.keys.shape[1], memory.keys.shape[3]
    require(room % ABREAST == 0, f"room for a multiple of {ABREAST} tokens")
    types = np.float16, np.float16, np.float32, np.float32
    shapes = memory_shapes(weights, slots, room)
    for each, shape, kind in zip(memory, shapes, types, strict=True):
        array(each, shape, kind)
    recalls = [isinstance(block.mixer, RecallWeights) for block in weights.blocks]
    looks = [not each for each in recalls]
    strides = memory.keys.strides[1] // 2, memory.keys.strides[2] // 2
    looked = _parts(memory.keys, looks), _parts(memory.values, looks)
    remembered = _parts(memory.past, recalls), _parts(memory.state, recalls)
    return KeptArrays(*looked, *remembered, slots, room, strides)


def pieces(slots: np.ndarray) -> Pieces:
    """Those of rows with these slots, in their order."""
    own, counts = np.unique(slots, return_counts=True)
    token = np.argsort(slots, kind="stable")
    every = np.cumsum(counts) - counts, counts, own, token
    return Pieces(*(np.ascontiguousarray(each, np.int32) for each in every))


def call(
    weights: DecoderWeights,
    rows: Rows,
    x: np.ndarray,
    turns: np.ndarray,
    kept: KeptArrays,
    pieces: Pieces | None = None,
) -> structures.Pass:
    """A pass of rows. x: (R, D). turns: of each turning cosines and sines, (N, 2, P, pairs).
    pieces: of the rows, where layers of the gated delta rule need them."""
    count, positions = len(rows.ids), turns.shape[2]
    first, last = limits(rows.positions)
    reach = last + 1
    require(first >= 0 and reach <= min(kept.room, positions), "room")
    first, last = limits(rows.slots)
    require(first >= 0 and last < kept.slots, "slots that are there")
    tables = len(weights.turnings), 2, positions, weights.pairs()
    require(pieces is not None or not weights.rules(), "the pieces of sequences")
    parts = tuple(array(each, (len(each),), np.int32) for each in pieces or ())
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
        len(pieces.first) if pieces else 0,
        int(pieces.counts.max()) if pieces else 0,
        *(parts or (None,) * 4),
        kept.past,
        kept.state,
    )


def _layer(block: BlockWeights, w: DecoderWeights, hidden: int) -> structures.LayerStruct:
    require(block.activation in structures.ACTIVATIONS, "one of their activations")
    mixer = block.mixer
    own = _attention(mixer, w) if isinstance(mixer, AttentionWeights) else _recall(mixer, w.width)
    return structures.LayerStruct(
        attention_norm=_norm(block.mixer_norm, w.width),
        attention_after=_norm(block.mixer_after, w.width),
        mlp_norm=_norm(block.mlp_norm, w.width),
        mlp_after=_norm(block.mlp_after, w.width),
        expert=_experts(block, w.width, hidden),
        router=_router(block, w.width),
        residual=block.residual,
        activation=structures.ACTIVATIONS.index(block.activation),
        experts=len(block.mlps),
        chosen=block.routing.chosen if block.routing else 1,
        normalised=block.routing.normalised if block.routing else False,
        **own,
    )


def _attention(mixer: AttentionWeights, w: DecoderWeights) -> dict[str, Any]:
    queries, keys, looks = w.heads * w.head, w.kv_heads * w.head, mixer.looks
    both = (mixer.query_norm is None) == (mixer.key_norm is None)
    require(both, "norms of queries and of keys")
    require(w.gated() == (mixer.gate is not None), "gates in all attentions or in none")
    turning = -1 if looks.turning is None else looks.turning
    require(-1 <= turning < len(w.turnings), "frequencies for all that turns")
    require(0 <= looks.window <= _MOST, "a window of tokens")
    gate = {} if mixer.gate is None else {"gate": _product(mixer.gate, queries, w.width)}
    return gate | {
        "query_norm": _norm(mixer.query_norm, queries if looks.whole else w.head),
        "key_norm": _norm(mixer.key_norm, keys if looks.whole else w.head),
        "query": _product(mixer.query, queries, w.width),
        "key": _product(mixer.key, keys, w.width),
        "value": _product(mixer.value, keys, w.width),
        "output": _product(mixer.output, w.width, queries),
        "scale": looks.scale,
        "cap": looks.cap,
        "window": looks.window,
        "angles": turning,
        "whole": looks.whole,
    }


def _recall(mixer: RecallWeights, width: int) -> dict[str, Any]:
    sizes = mixer.sizes
    found = structures.DeltaLayer(
        input=_product(mixer.input, sizes.convolved, width),
        gate=_product(mixer.gate, sizes.inner, width),
        rate=array(mixer.rate, (sizes.heads, width), np.float32),
        step=array(mixer.step, (sizes.heads, width), np.float32),
        rule=rule(sizes, mixer.numbers),
    )
    output = _product(mixer.output, width, sizes.inner)
    return {"recall": ctypes.pointer(found), "output": output}


def rule(s: DeltaSizes, w: DeltaWeights) -> structures.Delta:
    """Sizes and numbers of a layer of the gated delta rule, as long as its arrays live."""
    require(s.fits() and s.heads % s.key_heads == 0 and s.taps > 0, "sizes that the kernels take")
    kind = np.float32
    return structures.Delta(
        heads=s.heads,
        head=s.head,
        key_heads=s.key_heads,
        key=s.key,
        taps=s.taps,
        spread=s.spread,
        epsilon=s.epsilon,
        conv=array(w.conv, (s.taps, s.convolved), kind),
        step_bias=array(w.step_bias, (s.heads,), kind),
        decay_log=array(w.decay_log, (s.heads,), kind),
        norm=array(w.norm, (s.head,), kind),
    )


def _experts(block: BlockWeights, width: int, hidden: int) -> "ctypes.Array[structures.MLPStruct]":
    found = (
        structures.MLPStruct(
            _product(mlp.gate, hidden, width),
            _product(mlp.up, hidden, width),
            _product(mlp.down, width, hidden),
        )
        for mlp in block.mlps
    )
    return (structures.MLPStruct * len(block.mlps))(*found)


def _router(block: BlockWeights, width: int) -> int | None:
    count = len(block.mlps)
    if block.routing is None:
        require(count == 1, "a router where there are several MLPs")
        return None
    require(1 <= block.routing.chosen <= count, "as many MLPs as a token meets")
    return array(block.routing.router, (count, width), np.float32)


def _norm(weight: np.ndarray | None, size: int) -> int | None:
    return None if weight is None else array(weight, (size,), np.float32)


def _product(tiles: Tiles, outputs: int, inputs: int) -> structures.MatrixStruct:
    same = (tiles.outputs, tiles.inputs) == (outputs, inputs)
    require(same, f"a matrix of {outputs} x {inputs}, not {tiles.outputs} x {tiles.inputs}")
    return matrix(tiles)


def array(array: np.ndarray, shape: tuple[int, ...], kind: type) -> int:
    """The address of an array of this shape and type that lies in one piece."""
    if array.shape != shape or array.dtype != kind or not array.flags.c_contiguous:
        require(False, f"an array of {shape}, not {array.dtype} {array.shape}")
    return int(array.ctypes.data)


def slab(x: np.ndarray, shape: tuple[int, ...], kind: type = np.uint16) -> structures.Slab:
    """Where an array of this shape lies, which an array cannot leave."""
    size = x.itemsize
    whole = x.shape[-1] == 1 or x.strides[-1] == size
    require(x.shape == shape and x.dtype == kind and whole, f"numbers of {shape}, not {x.shape}")
    require(all(step % size == 0 for step in x.strides), "whole steps")
    return structures.Slab(x.ctypes.data, *(step // size for step in x.strides[:3]))


def limits(numbers: np.ndarray) -> tuple[int, int]:
    """The least and the largest of a few whole numbers; by NumPy it takes three times as long."""
    few = numbers.tolist()
    return min(few), max(few)


def _parts(layers: np.ndarray, own: Sequence[bool]) -> Parts:
    """Where the part of each layer begins that has one."""
    places = iter(layers.ctypes.data + i * layers.strides[0] for i in range(len(layers)))
    return (ctypes.c_void_p * len(own))(*(next(places) if each else None for each in own))


def require(right: bool, what: str) -> None:
    if not right:
        raise HornbookError(f"The model cannot be computed: the kernels need {what}.")
