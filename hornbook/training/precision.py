"""In which number type the products run, and whether kernels are compiled: decided, not
believed.
"""

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import nn

from hornbook.core.isolation import own_code
from hornbook.core.machine import DType
from hornbook.nn.training_kernels import training_kernels


def product_type(device: str, dtype: DType) -> AbstractContextManager[object]:
    """Inside, matrix products run in `dtype`; weights and sums stay float32."""
    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=getattr(torch, dtype))


def compile_layers(stack: nn.Module, undo: bool = False) -> None:
    """Let torch.compile fuse each layer of a stack; layers of one kind share their kernels.

    Compiling layers instead of the whole model takes seconds instead of half a minute, and runs
    as fast (docs/log.md). Parameter names do not change. undo: run them as written again.
    """
    layers = stack.get_submodule("layers")
    assert isinstance(layers, nn.ModuleList)
    own_code()
    training_kernels()
    for layer in layers:
        if undo:
            layer._compiled_call_impl = None  # torch has no public word for this
        else:
            for module in layer.modules():
                if getattr(module, "uncompiled", False):  # a decorator would load the compiler
                    module.forward = torch.compiler.disable(module.forward)
            layer.compile(dynamic=False)


def uncompiled() -> AbstractContextManager[object]:
    """Inside, compiled layers run as written: for shapes that are not worth compiling for."""
    as_written: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return as_written
