"""Linear layers whose weights are stored in few bits, in groups that share a scale.

Products run in our own kernels (`kernels`) where they can be had; elsewhere in torch's four-bit CPU
kernel, which computes in bfloat16, and to which more bits are two products, of the upper and the
lower half; it takes groups of 32 only. Nothing is trained. Knows
kernels; knows nothing of files or models.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from hornbook import kernels as native
from hornbook.kernels import pointers
from hornbook.kernels.codes import TABLE, Codes, Form
from hornbook.kernels.quantised import (
    ROWS,
    QuantisedMatrix,
    Tiles,
    filled,
    matrix_of,
    tiles,
    whole_tiles,
)
from hornbook.kernels.structures import GROUP

_MIDDLE = 8
"""The value that the kernel takes for zero."""
_KERNEL = torch.ops.aten._weight_int4pack_mm_for_cpu.default
_TILES = 2
"""Inner tiles of the packing: the CPU's kernel takes any and ignores it."""


def quantise(weight: Tensor, bits: int) -> Codes:
    """The nearest values of `bits` bits, 4 or 8, between the least and largest of each group.

    weight: (N, K), 32 divides K.
    """
    most = 2**bits - 1
    groups = weight.detach().float().unflatten(1, (-1, GROUP))
    least, largest = groups.amin(2), groups.amax(2)
    # The kernel's scales are bfloat16: values are chosen for the one that it will use, which must
    # not be too small for the largest weight.
    scale = ((largest - least) / most * (1 + 2**-8)).bfloat16().float()
    safe = torch.where(scale > 0, scale, torch.ones_like(scale))
    steps = ((groups - least[..., None]) / safe[..., None]).round().clamp(0, most)
    values = steps.flatten(1).to(torch.uint8)
    return Codes(Form(bits, offsets=True), values.numpy(), scale.numpy(), least.numpy())


class NativeLinear(nn.Module):
    """x W^T + bias with W quantised, in our own kernels; (..., K) -> (..., N) in the dtype of x."""

    blocks: Tensor

    def __init__(self, matrix: QuantisedMatrix, bias: Tensor | None) -> None:
        super().__init__()
        self.outputs, self.inputs, self.form = matrix[:3]
        self.bias = None if bias is None else nn.Parameter(bias.detach().float(), False)
        self.register_buffer("blocks", torch.from_numpy(tiles(matrix).blocks))

    def tiles(self) -> Tiles:
        """What the kernels take, in the layer's own memory."""
        bias = None if self.bias is None else self.bias.numpy()
        outputs = whole_tiles(self.outputs)
        return Tiles(self.blocks.numpy(), filled(bias), outputs, self.inputs, self.form)

    def forward(self, x: Tensor) -> Tensor:
        library = native.library()
        assert library is not None
        rows = x.detach().reshape(-1, self.inputs).float().contiguous()
        y = torch.from_numpy(library.product(pointers.matrix(self.tiles()), rows.numpy()))
        return y[:, : self.outputs].to(x.dtype).reshape(*x.shape[:-1], self.outputs)


class PackedLinear(nn.Module):
    """x W^T + bias with W quantised, in torch's; (..., K) -> (..., N) in the dtype of x."""

    upper: Tensor
    upper_scales: Tensor
    lower: Tensor
    lower_scales: Tensor

    def __init__(self, matrix: QuantisedMatrix, bias: Tensor | None) -> None:
        super().__init__()
        self.outputs, self.inputs, form = matrix[:3]
        self.halves = 1 if _bits(form) <= 4 else 2
        columns = zip(*map(_plain, matrix.parts), strict=True)
        values, scale, offset = (torch.from_numpy(np.concatenate(each)) for each in columns)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        if self.halves == 2:
            below = _bits(form) - 4  # so that the middle code is the middle of the upper half
            self._pack("upper", values >> below, 2**below * scale, offset)
            self._pack("lower", values & 2**below - 1, scale, torch.zeros_like(offset))
        else:
            self._pack("upper", values, scale, offset)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.inputs).bfloat16()
        y = _KERNEL(rows, self.upper, GROUP, self.upper_scales)
        if self.halves == 2:
            # Summed in float32: the lower half is small beside the upper one.
            y = y.float() + _KERNEL(rows, self.lower, GROUP, self.lower_scales)
        y = y.to(x.dtype)
        if self.bias is not None:
            y = y + self.bias
        out: Tensor = y.view(*x.shape[:-1], self.outputs)
        return out

    def _pack(self, name: str, values: Tensor, scale: Tensor, offset: Tensor) -> None:
        zero = offset + _MIDDLE * scale
        scales = torch.stack([scale.T, zero.T], 2).bfloat16().contiguous()
        # The kernel wants int32, eight times what they come to: some rows at a time.
        parts = [
            torch._convert_weight_to_int4pack_for_cpu(rows.int(), _TILES)
            for rows in values.split(ROWS)
        ]
        self.register_buffer(name, torch.cat(parts) if len(parts) > 1 else parts[0])
        self.register_buffer(f"{name}_scales", scales)


def takes(form: Form) -> bool:
    """Whether there are kernels for a form on this machine."""
    return native.library() is not None or (form.group == GROUP and not form.exponent)


def packed(matrix: QuantisedMatrix, bias: Tensor | None = None) -> NativeLinear | PackedLinear:
    """The layer of a matrix in a form that `takes` allows, in the fastest kernels there are."""
    return (NativeLinear if native.library() else PackedLinear)(matrix, bias)


def _bits(form: Form) -> int:
    """Of the values that stand for codes: those of a table are eight."""
    return 8 if form.table else form.bits


def _plain(codes: Codes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, scales and offsets of groups."""
    scales = codes.scales()
    if codes.form.table:
        return TABLE[codes.values].view(np.uint8) ^ 128, scales, -128 * scales
    return codes.values, scales, codes.offsets()


@cache
def kernel_works() -> bool:
    """Whether kernels for quantised matrices are there for this machine, and right."""
    weight = torch.arange(16.0 * GROUP).view(16, GROUP).remainder(15)
    try:
        found = packed(matrix_of(quantise(weight, 4)))(torch.ones(1, GROUP))
    except (RuntimeError, NotImplementedError, AttributeError):
        return False
    return bool(torch.allclose(found[0], weight.sum(1), rtol=0.02))
