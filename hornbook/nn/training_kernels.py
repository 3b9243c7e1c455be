"""Our own kernels in training: whether they are there, and tensors as the arrays that they take."""

import numpy as np
import torch
from torch import Tensor

from hornbook import kernels
from hornbook.core.errors import HornbookError
from hornbook.kernels.library import Library

_found: Library | None = None
_looked = False


def training_kernels() -> Library | None:
    """The kernels, built first where that takes only a compiler: whether they are there decides
    about the bits of a run, so that the first run of a machine waits for them (some seconds).

    While a layer is compiled, what was found before counts; `compile_layers` looks.
    """
    global _found, _looked
    if not _looked and not torch.compiler.is_compiling():
        try:
            kernels.build()
            _found = kernels.library()
        except HornbookError:  # nothing can be written
            _found = None
        _looked = True
    return _found


def needed_kernels() -> Library:
    """The kernels, in what runs only where they are."""
    assert _found is not None
    return _found


def trains(x: Tensor) -> bool:
    """Whether the gradient of x is wanted here, of products in bfloat16, and not by a compiler of
    torch, which fuses what stands beside the products by itself."""
    return (
        torch.is_grad_enabled()
        and x.device.type == "cpu"
        and (x.dtype == torch.bfloat16 or _products_in_bfloat16())
        and not torch.compiler.is_compiling()
        and training_kernels() is not None
    )


def _products_in_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def in_rows(x: Tensor) -> Tensor:
    """x, the last dimension of which lies in one piece."""
    return x if x.stride(-1) == 1 else x.contiguous()


def bfloats(x: Tensor) -> np.ndarray:
    """A bfloat16 tensor's array of uint16."""
    found: np.ndarray = in_rows(x.detach()).view(torch.uint16).numpy()
    return found


def floats(x: Tensor) -> np.ndarray:
    """A small tensor's numbers in float32, copied: a storage that numpy has seen is not given back,
    as that of a weight must be which was gathered for one layer (FSDP2)."""
    found: np.ndarray = x.detach().to(torch.float32, copy=True).contiguous().numpy()
    return found


def from_bfloats(x: np.ndarray) -> Tensor:
    """The tensor of an array of `bfloats`."""
    return torch.from_numpy(x).view(torch.bfloat16)
