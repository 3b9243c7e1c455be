"""How much the columns of a model's matrices count: the mean square of what comes into each.

An error in a weight reaches the output as large as what the weight is multiplied with. So the
squared error of a column, times the mean square of its input over a text, is what it costs there.
Those means come from a pass over a text, or from a file of llama.cpp's `llama-imatrix`.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import has_bfloat16
from hornbook.models.causal_lm import CausalLM
from hornbook.models.gguf.config import write_config
from hornbook.models.gguf.sizes import EMBEDDING
from hornbook.nn.contract import Context, Mask
from hornbook.nn.fast_linear import FastLinear

_TYPE, _SUMS, _COUNTS = "general.type", ".in_sum2", ".counts"


@torch.inference_mode()
def measured_importance(model: CausalLM, windows: Iterable[Tensor]) -> dict[str, np.ndarray]:
    """Mean squares (K,) float32 by the names of matrices in a GGUF file of the model.

    windows: (B, T) int64 tokens each. Token vectors that no head reads are looked up, not
    multiplied, so they have none. Raises HornbookError where the model computes no numbers.
    """
    readers = _readers(model)
    sums = {name: _MeanSquare() for name in readers}
    heads = [name for name, layers in readers.items() if model.head in layers]
    hooks = [
        layer.register_forward_pre_hook(sums[name].add)
        for name, layers in readers.items()
        for layer in layers
        if layer is not model.head
    ]
    try:
        with _short_products():
            for tokens in windows:  # what the head reads is enough, logits are not
                pos = torch.arange(tokens.shape[1], device=tokens.device)[None]
                features = model.features(tokens, Context(pos, Mask(causal=True)))
                for name in heads:
                    sums[name].add(model.head, (features,))
    finally:
        for hook in hooks:
            hook.remove()
    found = {name: mean.value() for name, mean in sums.items() if mean.count}
    for name, squares in found.items():
        if not np.isfinite(squares).all():
            raise HornbookError(f"What comes into {name} is NaN or infinite for this text.")
    return found


@contextlib.contextmanager
def _short_products() -> Iterator[None]:
    """Inside, oneDNN multiplies float32 in bfloat16 where the processor does: in half the time, and
    a mean of squares needs no more digits."""
    products: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = products.fp32_precision
    try:
        if has_bfloat16():
            products.fp32_precision = "bf16"
        yield
    finally:
        products.fp32_precision = before


class _MeanSquare:
    """Of the columns of all inputs of a layer."""

    def __init__(self) -> None:
        self.count, self.sum = 0, np.zeros(())

    def add(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        rows = inputs[0].detach().flatten(0, -2).float()
        self.count += len(rows)
        self.sum = self.sum + rows.square().sum(0).double().cpu().numpy()

    def value(self) -> np.ndarray:
        mean: np.ndarray = (self.sum / self.count).astype(np.float32)
        return mean


def _readers(model: CausalLM) -> dict[str, list[nn.Linear | FastLinear]]:
    """By the name of a matrix in the file, the layers that multiply with its rows."""
    family, *_ = write_config(model.config)
    found = {}
    for rule in family.table(model.config, dict(model.named_parameters())):
        tied = rule.theirs == EMBEDDING and model.config.tied
        weights = [name.rpartition(".") for name in rule.ours if name.endswith(".weight")]
        modules = [model.head if tied else model.get_submodule(name) for name, _, _ in weights]
        layers = [each for each in modules if isinstance(each, nn.Linear | FastLinear)]
        if layers:
            found[rule.theirs] = layers
    return found


def read_importance(file: GGUFFile, model: CausalLM) -> dict[str, np.ndarray]:
    """What a file of llama-imatrix says of the matrices of a model.

    Raises HornbookError for another kind of file, and for one of a model of other sizes.
    """
    if file.values.get(_TYPE) != "imatrix":
        raise HornbookError(f"{file.path} is no importance matrix: {_TYPE} is not 'imatrix'.")
    found = {}
    for name, (layer, *_) in _readers(model).items():
        count = layer.in_features
        if name + _SUMS not in file.tensors or name + _COUNTS not in file.tensors:
            continue
        sums, counts = (
            np.frombuffer(file.read(name + end).tobytes(), np.float32) for end in (_SUMS, _COUNTS)
        )
        if sums.size % count or sums.size // count != counts.size:
            raise HornbookError(
                f"{file.path}: {name} has {sums.size} columns there and {count} in this model; it "
                "belongs to another model."
            )
        squares = sums.reshape(-1, count).sum(0) / max(1.0, float(counts.sum()))
        if not (np.isfinite(squares).all() and (squares >= 0).all()):
            raise HornbookError(f"{file.path}: {name} holds values that are no mean squares.")
        found[name] = squares.astype(np.float32)
    if not found:
        raise HornbookError(f"{file.path} says nothing of the matrices of this model.")
    return found
