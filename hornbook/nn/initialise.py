"""Initialisation as a table from parameter names to rules; an unmatched parameter is an error."""

import fnmatch
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Initialiser = Callable[[Tensor, torch.Generator], None]


def normal(std: float) -> Initialiser:
    """Independent normal values of mean 0."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, std, generator=generator)

    return fill


def fan_in(gain: float = 1.0) -> Initialiser:
    """Normal values of standard deviation gain / sqrt(inputs), so that outputs keep the scale."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, gain / math.sqrt(weight.shape[-1]), generator=generator)

    return fill


def constant(value: float) -> Initialiser:
    """One value everywhere."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.constant_(weight, value)

    return fill


def log_uniform(low: float, high: float) -> Initialiser:
    """Logarithms of values between low and high, for parameters that are used by their exp."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        weight.uniform_(low, high, generator=generator).log_()

    return fill


def softplus_log_uniform(low: float, high: float) -> Initialiser:
    """Values whose softplus lies between low and high, evenly on a logarithmic scale."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        weight.uniform_(math.log(low), math.log(high), generator=generator).exp_()
        weight.add_(weight.neg().expm1().neg().log())  # y + log(1 - e^-y) undoes softplus

    return fill


def forget_bias(value: float = 1.0) -> Initialiser:
    """The second of four stacked gates begins at `value`, the others at 0 (an LSTM's bias)."""

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        weight.zero_().unflatten(0, (4, -1))[1] = value

    return fill


@torch.no_grad()
def initialise(model: nn.Module, table: Sequence[tuple[str, Initialiser]], seed: int) -> None:
    """Fill every parameter by the first rule whose glob matches its name, in the order of names.

    The values depend on the seed, the names and the shapes only.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        rules = [rule for pattern, rule in table if fnmatch.fnmatchcase(name, pattern)]
        if not rules:
            raise LookupError(f"no initialisation rule matches {name!r}")
        rules[0](weight, generator)
