"""Linear layers whose weights are stored in four or eight bits, in groups that share a scale.

Products run in torch's four-bit CPU kernel, which reads the packed weights and computes in
bfloat16; eight bits are two such products, of the upper and the lower half. Nothing is trained.
Knows codes and kernels; knows nothing of files or models.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

GROUP = 32
"""Weights of a row that share a scale, as in GGUF's blocks."""
_MIDDLE = 8
"""The code that the kernel takes for zero."""
_KERNEL = torch.ops.aten._weight_int4pack_mm_for_cpu.default
_ROWS = 2048
"""Rows packed at a time: whole tiles of the kernel's, whatever the machine."""
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


def join(parts: list[Codes]) -> Codes:
    """Matrices one below the other."""
    return Codes(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


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


class PackedLinear(nn.Module):
    """x W^T + bias with W as codes; (..., K) -> (..., N) in the dtype of x."""

    upper: Tensor
    upper_scales: Tensor
    lower: Tensor
    lower_scales: Tensor

    def __init__(self, codes: Codes, bias: Tensor | None, halves: int) -> None:
        super().__init__()
        self.outputs, self.inputs = codes.code.shape
        self.halves = halves
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        if halves == 2:
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
            for rows in code.split(_ROWS)
        ]
        self.register_buffer(name, torch.cat(parts) if len(parts) > 1 else parts[0])
        self.register_buffer(f"{name}_scales", scales)


def packed(codes: Codes, bias: Tensor | None = None, bits: int = 4) -> PackedLinear:
    """The layer of some codes of so many bits."""
    return PackedLinear(codes, bias, {4: 1, 8: 2}[bits])


def can_pack(rows: int, columns: int) -> bool:
    """Whether the kernel takes a matrix of this shape."""
    return rows % 16 == 0 and columns % GROUP == 0


@cache
def kernel_works() -> bool:
    """Whether torch's four-bit kernel is there for this machine, and right."""
    weight = torch.arange(16.0 * GROUP).view(16, GROUP).remainder(15)
    try:
        found = packed(quantise(weight, 4))(torch.ones(1, GROUP))
    except (RuntimeError, NotImplementedError, AttributeError):
        return False
    return bool(torch.allclose(found[0], weight.sum(1), rtol=0.02))
