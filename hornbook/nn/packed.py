"""Linear layers whose weights are stored in four or eight bits, in groups that share a scale.

Products run in our own kernels (`nn.native`), which make eight bits of the inputs as well, where
they can be had; elsewhere in torch's four-bit CPU kernel, which computes in bfloat16, and to which
eight bits are two products, of the upper and the lower half. Nothing is trained. Knows codes and
kernels; knows nothing of files or models.
"""

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hornbook.nn import native

GROUP = 32
"""Weights of a row that share a scale, as in GGUF's blocks."""
_TILE = 16
"""Rows that our kernels compute together."""
_MIDDLE = 8
"""The code that the kernel takes for zero."""
_KERNEL = torch.ops.aten._weight_int4pack_mm_for_cpu.default
ROWS = 2048
"""Rows packed at a time: whole tiles of the kernels, whatever the machine."""
_TILES = 2
"""Inner tiles of the packing: the CPU's kernel takes any and ignores it."""


class Codes(NamedTuple):
    """weight = scale * code + least, by groups of a row.

    code: (N, K) uint8, 0 to 15 or 0 to 255. scale, least: (N, K / 32) float32.
    """

    code: Tensor
    scale: Tensor
    least: Tensor

    def floats(self) -> Tensor:
        """(N, K) float32: the weights that the codes stand for."""
        code = self.code.float().unflatten(1, (-1, GROUP))
        return (code * self.scale[..., None] + self.least[..., None]).flatten(1)


class Matrix(NamedTuple):
    """The codes of a matrix (outputs, inputs), part by part from its first rows on.

    bits: 4 or 8. parts: read once; those of a large matrix are made as they are asked for, so that
    the whole is never there in a form that takes more memory. 16 divides the rows of each.
    """

    outputs: int
    inputs: int
    bits: int
    parts: Iterable[Codes]


def matrix_of(codes: Codes, bits: int) -> Matrix:
    """A matrix whose codes are all there."""
    outputs, inputs = codes.code.shape
    return Matrix(outputs, inputs, bits, [codes])


def join(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices of as many inputs and bits one below the other."""
    parts = itertools.chain.from_iterable(matrix.parts for matrix in matrices)
    outputs = sum(matrix.outputs for matrix in matrices)
    return matrices[0]._replace(outputs=outputs, parts=parts)


def quantise(weight: Tensor, bits: int) -> Codes:
    """The nearest codes of `bits` bits, 4 or 8, between the least and largest of each group.

    weight: (N, K), 32 divides K.
    """
    most = 2**bits - 1
    groups = weight.detach().float().unflatten(1, (-1, GROUP))
    least, largest = groups.amin(2), groups.amax(2)
    # The kernel's scales are bfloat16: codes are chosen for the one that it will use, and that must
    # not be too small for the largest weight.
    scale = ((largest - least) / most * (1 + 2**-8)).bfloat16().float()
    safe = torch.where(scale > 0, scale, torch.ones_like(scale))
    code = ((groups - least[..., None]) / safe[..., None]).round().clamp(0, most)
    return Codes(code.flatten(1).to(torch.uint8), scale, least)


class NativeLinear(nn.Module):
    """x W^T + bias with W as codes, in our own kernels; (..., K) -> (..., N) in the dtype of x."""

    blocks: Tensor

    def __init__(self, matrix: Matrix, bias: Tensor | None) -> None:
        super().__init__()
        self.outputs, self.inputs, self.bits = matrix[:3]
        self.bias = None if bias is None else nn.Parameter(bias.detach().float(), False)
        self.register_buffer("blocks", _blocks(matrix))

    @property
    def matrix(self) -> native.Matrix:
        """What the kernels take; it lives as long as the layer does."""
        bias = None if self.bias is None else self.bias.data_ptr()
        return native.Matrix(self.blocks.data_ptr(), bias, self.outputs, self.inputs, self.bits)

    def forward(self, x: Tensor) -> Tensor:
        library = native.library()
        assert library is not None
        rows = x.reshape(-1, self.inputs).float().contiguous()
        y = torch.empty(len(rows), self.outputs)
        library.product(self.matrix, rows, y)
        return y.to(x.dtype).view(*x.shape[:-1], self.outputs)


def _blocks(matrix: Matrix) -> Tensor:
    """(N / 16, K / 32, bytes) uint8: scales, least values and codes as `product.h` reads them."""
    groups, size = matrix.inputs // GROUP, 4 * _TILE + _TILE * GROUP * matrix.bits // 8
    found = torch.empty(matrix.outputs // _TILE, groups, size, dtype=torch.uint8)
    start = 0
    for codes in matrix.parts:
        tiles = len(codes.code) // _TILE
        part = found[start : start + tiles]
        for i, floats in enumerate((codes.scale, codes.least)):
            halves = floats.view(tiles, _TILE, groups).transpose(1, 2).half().contiguous()
            part[:, :, 2 * _TILE * i : 2 * _TILE * (i + 1)] = halves.view(torch.uint8)
        # Four inputs of an output side by side, the outputs of a tile after each other.
        quads = codes.code.view(tiles, _TILE, groups, GROUP // 4, 4).permute(0, 2, 3, 1, 4)
        if matrix.bits == 4:
            half = GROUP // 8
            quads = quads[:, :, :half] | (quads[:, :, half:] << 4)
        part[:, :, 4 * _TILE :] = quads.flatten(2)
        start += tiles
    return found


class PackedLinear(nn.Module):
    """x W^T + bias with W as codes, in torch's; (..., K) -> (..., N) in the dtype of x."""

    upper: Tensor
    upper_scales: Tensor
    lower: Tensor
    lower_scales: Tensor

    def __init__(self, matrix: Matrix, bias: Tensor | None) -> None:
        super().__init__()
        self.outputs, self.inputs, bits = matrix[:3]
        self.halves = bits // 4
        codes = Codes(*(torch.cat(columns) for columns in zip(*matrix.parts, strict=True)))
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        if self.halves == 2:
            self._pack("upper", codes.code >> 4, 16 * codes.scale, codes.least)
            self._pack("lower", codes.code & 15, codes.scale, torch.zeros_like(codes.least))
        else:
            self._pack("upper", codes.code, codes.scale, codes.least)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.inputs).bfloat16()
        y = _KERNEL(rows, self.upper, GROUP, self.upper_scales)
        if self.halves == 2:
            # Summed in float32: the lower half is small beside the upper one.
            y = y.float() + _KERNEL(rows, self.lower, GROUP, self.lower_scales)
        y = y.to(x.dtype)
        if self.bias is not None:
            y = y + self.bias
        return y.view(*x.shape[:-1], self.outputs)

    def _pack(self, name: str, code: Tensor, scale: Tensor, least: Tensor) -> None:
        zero = least + _MIDDLE * scale
        scales = torch.stack([scale.T, zero.T], 2).bfloat16().contiguous()
        # The kernel wants int32 codes, eight times what they come to: some rows at a time.
        parts = [
            torch._convert_weight_to_int4pack_for_cpu(rows.int(), _TILES)
            for rows in code.split(ROWS)
        ]
        self.register_buffer(name, torch.cat(parts) if len(parts) > 1 else parts[0])
        self.register_buffer(f"{name}_scales", scales)


def packed(matrix: Matrix, bias: Tensor | None = None) -> NativeLinear | PackedLinear:
    """The layer of a matrix in codes, in the fastest kernels there are."""
    return (NativeLinear if native.library() else PackedLinear)(matrix, bias)


def can_pack(rows: int, columns: int) -> bool:
    """Whether the kernels take a matrix of this shape."""
    return rows % _TILE == 0 and columns % GROUP == 0


@cache
def kernel_works() -> bool:
    """Whether kernels for codes are there for this machine, and right."""
    weight = torch.arange(16.0 * GROUP).view(16, GROUP).remainder(15)
    try:
        found = packed(matrix_of(quantise(weight, 4), 4))(torch.ones(1, GROUP))
    except (RuntimeError, NotImplementedError, AttributeError):
        return False
    return bool(torch.allclose(found[0], weight.sum(1), rtol=0.02))
