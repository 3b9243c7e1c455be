"""LoRA (Hu et al. 2021): a frozen linear map with a product of two thin matrices beside it.

Every linear map of a stack gets one, those of the MLPs too (Dettmers et al. 2023, 4, found that
this and not the rank decides).
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.core.errors import UsageError
from hornbook.models.model import Model
from hornbook.nn.contract import Layer
from hornbook.nn.dropout import Dropout
from hornbook.nn.lstm import LSTM


class LoRALinear(nn.Module):
    """(..., in) -> (..., out): base(x) + alpha / R * (x down^T) up^T, eq. 3 of Hu et al. 2021.

    base: the linear map as it was, frozen. down (R, in) and up (out, R) are `A` and `B` of the
    paper. up begins at 0, so that nothing changes before the first step; down begins as a fresh
    linear map of torch does. dropout: the share of channels that only `down` does not see.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.rank, self.alpha = rank, alpha
        self.base = base.requires_grad_(False)
        self.dropout = Dropout(dropout)
        like = base.weight
        self.down = nn.Parameter(like.new_zeros(rank, base.in_features))
        self.up = nn.Parameter(like.new_zeros(base.out_features, rank))

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """Give both factors what they begin with."""
        bound = 1 / math.sqrt(self.base.in_features)
        fresh = torch.empty(self.down.shape).uniform_(-bound, bound, generator=generator)
        self.down.copy_(fresh)
        self.up.zero_()

    def forward(self, x: Tensor) -> Tensor:
        beside = F.linear(F.linear(self.dropout(x), self.down), self.up)
        base: Tensor = self.base(x)
        return base + self.alpha / self.rank * beside

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The base with the product added to its weight, (out, in); this layer is spent by it.

        The weight is a new one: who shares the old one keeps it as it was.
        """
        product = self.up.double() @ self.down.double() * (self.alpha / self.rank)
        weight = (self.base.weight.double() + product).to(self.base.weight.dtype)
        self.base.weight = nn.Parameter(weight)
        return self.base


def targets(model: Model) -> list[str]:
    """The names of the linear maps that LoRA goes beside: all of the stacks.

    Not the last one of Mamba-2: fused kernels elsewhere read its weight without calling it, so
    PEFT refuses to adapt it. Raises UsageError for a stack with an LSTM, whose kernel reads its
    weights likewise, and for one without any linear map.
    """
    found = [name for name, _ in _linear_maps(model)]
    if not found:
        raise UsageError("LoRA needs linear maps, and this model's stacks have none.")
    return found


def insert(model: Model, rank: int, alpha: float, dropout: float, seed: int) -> None:
    """Put a LoRA layer of `rank` around each target; the same for the same seed.

    Raises UsageError as `targets` does, and for a rank that no map is as wide as.
    """
    generator = torch.Generator().manual_seed(seed)
    for name in targets(model):
        layer = wrap(model, name, rank, alpha, dropout)
        layer.reset(generator)


def wrap(model: Model, name: str, rank: int, alpha: float, dropout: float = 0.0) -> LoRALinear:
    """Put one LoRA layer, its factors 0, around the linear map `name`; returns it."""
    parent, _, last = name.rpartition(".")
    base = model.get_submodule(name)
    assert isinstance(base, nn.Linear), name
    if not 1 <= rank <= min(base.in_features, base.out_features):
        most = min(base.in_features, base.out_features)
        raise UsageError(f"LoRA of rank {rank} around {name}: the rank must be 1 to {most}.")
    layer = LoRALinear(base, rank, alpha, dropout)
    layer.train(model.training)
    setattr(model.get_submodule(parent), last, layer)
    return layer


def layers(model: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """The LoRA layers by the names of the linear maps in them."""
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            yield name, module


def merge(model: Model) -> None:
    """Fold all LoRA layers into the weights beside them: the model has its own names again.

    What it computes stays the same but for the rounding of the sum; every parameter may move
    again. A model without LoRA layers stays as it is.
    """
    for name, layer in list(layers(model)):
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, layer.merged())
    model.requires_grad_(True)


def own_parameters(model: Model) -> dict[str, nn.Parameter]:
    """The parameters of the model without its LoRA layers, by the names they have without them."""
    inside = {f"{name}.base": name for name, _ in layers(model)}
    found = {}
    for name, parameter in model.named_parameters():
        parent, _, last = name.rpartition(".")
        if parent in inside:
            found[f"{inside[parent]}.{last}"] = parameter
        elif not isinstance(model.get_submodule(parent), LoRALinear):
            found[name] = parameter
    return found


def _linear_maps(model: Model) -> Iterator[tuple[str, nn.Linear]]:
    for stack in model.config.stacks():
        for name, module in model.get_submodule(stack).named_modules(prefix=stack):
            if isinstance(module, LSTM):
                raise UsageError(
                    "LoRA goes beside linear maps, and an LSTM computes with its weights "
                    "directly; tune it with full, last:N or head."
                )
            parent, _, last = name.rpartition(".")
            around = model.get_submodule(parent)
            left = around.unadapted if isinstance(around, Layer) else ()
            if isinstance(module, nn.Linear) and last not in left:
                yield name, module
