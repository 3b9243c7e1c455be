"""Matrices whose weights are stored in four or eight bits, in groups that share a scale.

In numpy, without torch: what the kernels read, matrices and whole decoders. Knows the kernels'
order of bytes, and no files.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.kernels.structures import GROUP
from hornbook.kernels.structures import TILE as _TILE

ROWS = 2048
"""Rows made ready at a time: whole tiles of the kernels, whatever the machine."""


class Quantised(NamedTuple):
    """weight = scale * value + offset, by groups of a row.

    values: (N, K) uint8 of eight bits, or (N, K / 2) of four: byte i of a group holds value i in
    its lower half and value i + 16 in the upper, as in GGUF's blocks. scale, offset: (N, K / 32)
    float32.
    """

    values: np.ndarray
    scale: np.ndarray
    offset: np.ndarray

    @property
    def bits(self) -> int:
        """4 or 8."""
        width: int = self.values.shape[1]
        return 8 * width // (GROUP * int(self.scale.shape[1]))

    def unpacked(self) -> np.ndarray:
        """(N, K) uint8, a value each."""
        if self.bits == 8:
            return self.values
        pairs = self.values.reshape(*self.scale.shape, GROUP // 2)
        return np.concatenate([pairs & 15, pairs >> 4], -1).reshape(len(pairs), -1)

    def dequantised(self) -> np.ndarray:
        """(N, K) float32: the weights that they stand for."""
        values = self.unpacked().astype(np.float32).reshape(*self.scale.shape, GROUP)
        found: np.ndarray = values * self.scale[..., None] + self.offset[..., None]
        return found.reshape(len(found), -1)


class Matrix(NamedTuple):
    """A quantised matrix (outputs, inputs), part by part from its first rows on.

    bits: 4 or 8. parts: read once; those of a large matrix are made as they are asked for, so that
    the whole is never there in a form that takes more memory. 16 divides the rows of each.
    """

    outputs: int
    inputs: int
    bits: int
    parts: Iterable[Quantised]


class Tiles(NamedTuple):
    """A matrix in the order in which the kernels read it.

    blocks: (N / 16, K / 32, bytes) uint8. bias: (N,) float32 or None.
    """

    blocks: np.ndarray
    bias: np.ndarray | None
    outputs: int
    inputs: int
    bits: int


class BlockWeights(NamedTuple):
    """An attention and an MLP. Norms: (N,) float32; those of queries and keys may be None.

    qkv: queries, keys and values one below the other. gate_up: gate and values.
    """

    attention_norm: np.ndarray
    query_norm: np.ndarray | None
    key_norm: np.ndarray | None
    mlp_norm: np.ndarray
    qkv: Tiles
    output: Tiles
    gate_up: Tiles
    down: Tiles


class DecoderWeights(NamedTuple):
    """A decoder as most are built: rotary attention and gated MLP behind RMS norms, all alike.

    vocab, context, width: ids, tokens, channels. heads query heads of `head` channels share
    kv_heads of keys and values. frequencies: of each pair of channels, (head / 2,) float32 radians
    a token; amplitude: what cosines and sines are multiplied by. epsilon, head_epsilon: of the
    norms of the stream and of queries and keys. embed: ids (R,) -> (R, D) float32. logits: the
    head.
    """

    vocab: int
    context: int
    width: int
    heads: int
    kv_heads: int
    head: int
    frequencies: np.ndarray
    amplitude: float
    epsilon: float
    head_epsilon: float
    embed: Callable[[np.ndarray], np.ndarray]
    blocks: Sequence[BlockWeights]
    last_norm: np.ndarray
    logits: Tiles

    def fits(self) -> bool:
        """Whether the kernels take these sizes."""
        return self.width % GROUP == 0 and self.head % _TILE == 0 and len(self.blocks) > 0


def quantised(values: np.ndarray, scale: np.ndarray, offset: np.ndarray, bits: int) -> Quantised:
    """Values of `bits` from one a byte, (N, K) uint8."""
    if bits == 4:
        groups = values.reshape(*scale.shape, GROUP)
        pairs = groups[..., : GROUP // 2] | (groups[..., GROUP // 2 :] << 4)
        values = pairs.reshape(len(pairs), -1)
    return Quantised(values, scale, offset)


def matrix_of(whole: Quantised) -> Matrix:
    """A matrix that is all there."""
    outputs, groups = whole.scale.shape
    return Matrix(outputs, GROUP * groups, whole.bits, [whole])


def join(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices of as many inputs and bits one below the other."""
    parts = itertools.chain.from_iterable(matrix.parts for matrix in matrices)
    outputs = sum(matrix.outputs for matrix in matrices)
    return matrices[0]._replace(outputs=outputs, parts=parts)


def can_pack(rows: int, columns: int) -> bool:
    """Whether the kernels take a matrix of this shape."""
    return rows % _TILE == 0 and columns % GROUP == 0


def tiles(matrix: Matrix, bias: np.ndarray | None = None) -> Tiles:
    """The matrix as `product.h` reads it: of 16 rows scales, offsets and values by groups."""
    groups, size = matrix.inputs // GROUP, 4 * _TILE + _TILE * GROUP * matrix.bits // 8
    found = np.empty((matrix.outputs // _TILE, groups, size), np.uint8)
    start = 0
    for rows in matrix.parts:
        count = len(rows.values) // _TILE
        part = found[start : start + count]
        for i, floats in enumerate((rows.scale, rows.offset)):
            halves = floats.reshape(count, _TILE, groups).swapaxes(1, 2).astype(np.float16)
            at = slice(2 * _TILE * i, 2 * _TILE * (i + 1))
            part[:, :, at] = np.ascontiguousarray(halves).view(np.uint8)
        # Four bytes of an output side by side, the outputs of a tile after each other.
        fours = rows.values.view(np.uint32).reshape(count, _TILE, groups, -1)
        turned = np.ascontiguousarray(fours.transpose(0, 2, 3, 1))
        part[:, :, 4 * _TILE :] = turned.view(np.uint8).reshape(count, groups, -1)
        start += count
    return Tiles(found, bias, matrix.outputs, matrix.inputs, matrix.bits)
