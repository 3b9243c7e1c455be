"""A mixture of experts (Shazeer et al. 2017): many gated MLPs, of which each token meets a few.

A router scores the experts and a token goes to the best `chosen` of them. No token is dropped:
tokens of one expert are computed together, however many they are.

Shapes besides the package's: N tokens, E experts, K that a token goes to.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import pydantic
import torch
from torch import Tensor, nn

from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.mlp import Activation, GatedMLP, GatedMLPConfig


@register("mixture")
class MixtureConfig(LayerConfig):
    """experts of `hidden` channels each, of which a token meets `chosen`.

    normalised: the weights of those that are chosen come to 1. balance: what the auxiliary loss of
    a token counts beside its cross-entropy, in training.
    """

    experts: int
    chosen: int
    hidden: int
    activation: Activation = "silu"
    normalised: bool = True
    balance: float = pydantic.Field(default=0.01, ge=0)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if not 1 <= self.chosen <= self.experts:
            raise ValueError(f"chosen = {self.chosen} is not 1 to experts = {self.experts}")
        return self

    @property
    def expert(self) -> GatedMLPConfig:
        """Each of them."""
        return GatedMLPConfig(hidden=self.hidden, activation=self.activation)

    def build(self, width: int) -> Layer:
        return Mixture(self, width)

    def parameters(self, width: int) -> int:
        return self.experts * (self.expert.parameters(width) + width)

    def active(self, width: int) -> int:
        return self.experts * width + self.chosen * self.expert.parameters(width)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (
            cls(experts=4, chosen=2, hidden=24),
            cls(experts=5, chosen=1, hidden=8, activation="gelu_tanh"),
            cls(experts=3, chosen=3, hidden=8, normalised=False, balance=0.0),
        )


class Expert(GatedMLP):
    """One of them. The ecosystem holds all experts of a layer as one tensor, beside which LoRA puts
    nothing."""

    unadapted: ClassVar[frozenset[str]] = frozenset({"gate", "up", "down"})


class Mixture(Layer):
    """The sum of weight_e(x) expert_e(x) over the chosen experts."""

    uncompiled = True  # how many tokens an expert gets is another number in every step

    def __init__(self, config: MixtureConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.router = nn.Parameter(torch.zeros(config.experts, width))
        self.experts = nn.ModuleList(Expert(config.expert, width) for _ in range(config.experts))

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        rows = x.flatten(0, -2)
        shares = self._shares(rows)
        weights, chosen = shares.topk(self.config.chosen, dim=-1)  # (N, K)
        if self.config.normalised:
            weights = weights / weights.sum(-1, keepdim=True)
        y = self._through(rows, chosen, ctx)
        y = (y * weights[..., None].to(y.dtype)).sum(1)
        if self.training and self.config.balance and torch.is_grad_enabled():
            valid = None if ctx.mask.valid is None else ctx.mask.valid.flatten()
            loss = self.config.balance * imbalance(shares, chosen, valid)
            y = _WithLoss.apply(y, loss)  # type: ignore[no-untyped-call]
        return y.view_as(x)

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return {}

    def _shares(self, rows: Tensor) -> Tensor:
        """What the router gives each expert of a token, (N, E) float32 or longer, in sum 1.

        Never in short floats: which experts are best is a matter of the last digits.
        """
        wide = torch.promote_types(rows.dtype, torch.float32)
        with torch.autocast(rows.device.type, enabled=False):
            scores: Tensor = rows.to(wide) @ self.router.to(wide).T
        return scores.softmax(-1)

    def _through(self, rows: Tensor, chosen: Tensor, ctx: Context) -> Tensor:
        """What each chosen expert makes of a token, (N, K, D). Tokens lie in order by expert."""
        experts = chosen.flatten()
        order = experts.argsort(stable=True)
        counts = experts.bincount(minlength=len(self.experts)).tolist()
        # Repeated first: gradients of a row that is taken twice would be added up in the order in
        # which threads come.
        repeated = rows[:, None].expand(-1, self.config.chosen, -1).flatten(0, 1)
        parts = repeated[order].split(counts)
        made = [
            expert(part, ctx) for expert, part in zip(self.experts, parts, strict=True) if len(part)
        ]
        y: Tensor = torch.cat(made)[order.argsort()].unflatten(0, chosen.shape)
        return y


def imbalance(shares: Tensor, chosen: Tensor, valid: Tensor | None) -> Tensor:
    """The auxiliary loss of Switch Transformers (Fedus et al. 2022, eq. 4), summed over tokens.

    shares (N, E), chosen (N, K), valid (N,) bool or None for all. A token's loss is
    E sum_e f_e P_e, where f_e is how many of the tokens chose an expert and P_e its mean share; it
    is K where all experts are chosen alike, its least.
    """
    if valid is not None:
        shares, chosen = shares[valid], chosen[valid]
    experts, tokens = shares.shape[1], max(1, len(shares))
    often = chosen.flatten().bincount(minlength=experts) / tokens
    return experts * (often * shares.sum(0)).sum()


class _WithLoss(torch.autograd.Function):
    """y as it is, whose gradient brings that of a loss with it.

    So a layer adds a loss to whatever is minimised, and that knows nothing of it: what is shown
    and compared stays the cross-entropy alone.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, loss: Tensor) -> Tensor:
        ctx.type = loss.dtype
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, torch.ones((), dtype=ctx.type, device=grad.device)
