"""Matrices whose weights are stored in four or eight bits, in groups that share a scale.

In numpy: a file of codes becomes what the kernels read, matrices and whole decoders, without torch.
Knows codes and the kernels' order of them; knows nothing of files or of torch's layers.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.kernels.structures import GROUP
from hornbook.kernels.structures import TILE as _TILE

ROWS = 2048
"""Rows made ready at a time: whole tiles of the kernels, whatever the machine."""


class Codes(NamedTuple):
    """weight = scale * code + least, by groups of a row.

    code: (N, K) uint8 of eight bits, or (N, K / 2) of four: byte i of a group holds its code i in
    the lower half and its code i + 16 in the upper, as in GGUF's blocks. scale, least: (N, K / 32)
    float32.
    """

    code: np.ndarray
    scale: np.ndarray
    least: np.ndarray

    @property
    def bits(self) -> int:
        """4 or 8."""
        width: int = self.code.shape[1]
        return 8 * width // (GROUP * int(self.scale.shape[1]))

    def single(self) -> np.ndarray:
        """(N, K) uint8, a code each."""
        if self.bits == 8:
            return self.code
        pairs = self.code.reshape(*self.scale.shape, GROUP // 2)
        return np.concatenate([pairs & 15, pairs >> 4], -1).reshape(len(pairs), -1)

    def floats(self) -> np.ndarray:
        """(N, K) float32: the weights that the codes stand for."""
        code = self.single().astype(np.float32).reshape(*self.scale.shape, GROUP)
        found: np.ndarray = code * self.scale[..., None] + self.least[..., None]
        return found.reshape(len(found), -1)


class Matrix(NamedTuple):
    """The codes of a matrix (outputs, inputs), part by part from its first rows on.

    bits: 4 or 8. parts: read once; those of a large matrix are made as they are asked for, so that
    the whole is never there in a form that takes more memory. 16 divides the rows of each.
    """

    outputs: int
    inputs: int
    bits: int
    parts: Iterable[Codes]


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
    kv_heads of keys and values. theta: of the rotation. epsilon, head_epsilon: of the norms of the
    stream and of queries and keys. embed: ids (R,) -> (R, D) float32. logits: the head.
    """

    vocab: int
    context: int
    width: int
    heads: int
    kv_heads: int
    head: int
    theta: float
    epsilon: float
    head_epsilon: float
    embed: Callable[[np.ndarray], np.ndarray]
    blocks: Sequence[BlockWeights]
    last_norm: np.ndarray
    logits: Tiles

    def fits(self) -> bool:
        """Whether the kernels take these sizes."""
        return self.width % GROUP == 0 and self.head % _TILE == 0 and len(self.blocks) > 0


def codes_of(single: np.ndarray, scale: np.ndarray, least: np.ndarray, bits: int) -> Codes:
    """Codes of `bits` from one a byte, (N, K) uint8."""
    if bits == 4:
        groups = single.reshape(*scale.shape, GROUP)
        pairs = groups[..., : GROUP // 2] | (groups[..., GROUP // 2 :] << 4)
        single = pairs.reshape(len(pairs), -1)
    return Codes(single, scale, least)


def matrix_of(codes: Codes) -> Matrix:
    """A matrix whose codes are all there."""
    outputs, groups = codes.scale.shape
    return Matrix(outputs, GROUP * groups, codes.bits, [codes])


def join(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices of as many inputs and bits one below the other."""
    parts = itertools.chain.from_iterable(matrix.parts for matrix in matrices)
    outputs = sum(matrix.outputs for matrix in matrices)
    return matrices[0]._replace(outputs=outputs, parts=parts)


def can_pack(rows: int, columns: int) -> bool:
    """Whether the kernels take a matrix of this shape."""
    return rows % _TILE == 0 and columns % GROUP == 0


def tiles(matrix: Matrix, bias: np.ndarray | None = None) -> Tiles:
    """The matrix as `product.h` reads it: of 16 rows scales, least values and codes by groups."""
    groups, size = matrix.inputs // GROUP, 4 * _TILE + _TILE * GROUP * matrix.bits // 8
    found = np.empty((matrix.outputs // _TILE, groups, size), np.uint8)
    start = 0
    for codes in matrix.parts:
        count = len(codes.code) // _TILE
        part = found[start : start + count]
        for i, floats in enumerate((codes.scale, codes.least)):
            halves = floats.reshape(count, _TILE, groups).swapaxes(1, 2).astype(np.float16)
            at = slice(2 * _TILE * i, 2 * _TILE * (i + 1))
            part[:, :, at] = np.ascontiguousarray(halves).view(np.uint8)
        # Four bytes of an output side by side, the outputs of a tile after each other.
        fours = codes.code.view(np.uint32).reshape(count, _TILE, groups, -1)
        turned = np.ascontiguousarray(fours.transpose(0, 2, 3, 1))
        part[:, :, 4 * _TILE :] = turned.view(np.uint8).reshape(count, groups, -1)
        start += count
    return Tiles(found, bias, matrix.outputs, matrix.inputs, matrix.bits)
