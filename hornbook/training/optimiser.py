"""Which parameter is moved by which rule: Muon for hidden matrices, AdamW for everything else.

Frozen parameters are no business of it.
"""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.training.muon import Muon, Orthogonal

Rate = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


class OptimiserConfig(Config):
    """Peak learning rates and the rest.

    matrix_rule: what moves hidden matrices; "adamw" where weights were made by AdamW and few steps
    are taken, and for the thin factors of LoRA. matrix_rate: of that rule. momentum, weight_decay:
    Muon's. embedding_rate, head_rate,
    scalar_rate, betas: AdamW's (Loshchilov & Hutter 2019), for token vectors, the head, and norms
    and biases. clip: the largest norm of the whole gradient (per-token mean loss), or None.
    """

    matrix_rule: Literal["muon", "adamw"] = "muon"
    matrix_rate: Rate = 0.015
    embedding_rate: Rate = 0.03
    head_rate: Rate = 0.003
    scalar_rate: Rate = 0.003
    momentum: Decay = 0.95
    betas: tuple[Decay, Decay] = (0.9, 0.95)
    weight_decay: Rate = 0.1
    clip: float | None = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    def gentle(self) -> "OptimiserConfig":
        """For weights that know something already: enough to learn more, little enough to keep."""
        rates = ("matrix_rate", "embedding_rate", "head_rate", "scalar_rate")
        return self.model_copy(update={name: _GENTLE * getattr(self, name) for name in rates})


_GENTLE = 0.2
"""Share of the learning rates of fresh weights."""

POST_NORM = OptimiserConfig(
    matrix_rate=0.01, embedding_rate=0.003, scalar_rate=0.003, betas=(0.9, 0.98)
)
"""For post-norm models whose token vectors are the head as well: decoders with a head of their own
learn at higher rates."""

MASKED = POST_NORM.model_copy(update={"embedding_rate": 0.001})
"""For models that fill in words: at higher rates they stay for long at what the frequencies of the
tokens give (docs/log.md, "rates of BERT")."""


class Optimiser:
    """Both rules as one: a step, a learning-rate factor, and named state for checkpoints."""

    def __init__(self, model: nn.Module, config: OptimiserConfig, dtype: torch.dtype) -> None:
        """dtype: what Muon orthogonalises in. Something of the model must not be frozen."""
        self.config, self.dtype = config, dtype
        self.names: dict[Tensor, str] = {
            weight: name for name, weight in model.named_parameters() if weight.requires_grad
        }
        matrices, groups = _groups(self.names, config)
        rules: list[torch.optim.Optimizer] = []
        if matrices:
            decay = config.weight_decay
            rules.append(Muon(matrices, config.matrix_rate, config.momentum, decay, dtype))
        if groups:
            rules.append(
                torch.optim.AdamW(
                    groups, betas=config.betas, eps=1e-10, weight_decay=0.0, fused=True
                )
            )
        self._rules = rules
        for group in self._param_groups():
            group["peak"] = group["lr"]

    def orthogonalise_by(self, orthogonal: Orthogonal) -> None:
        """Let others help with Muon's matrices."""
        for rule in self._rules:
            if isinstance(rule, Muon):
                rule.orthogonal = orthogonal

    def step(self, factor: float) -> None:
        """One update with every learning rate at `factor` of its peak."""
        for group in self._param_groups():
            group["lr"] = group["peak"] * factor
        for rule in self._rules:
            rule.step()

    def finish_gradient(self, count: int) -> Tensor:
        """Turn summed gradients into means over `count` targets, clip; return the norm before."""
        gradients = [weight.grad for weight in self.names if weight.grad is not None]
        torch._foreach_div_(gradients, count)
        norm = torch.nn.utils.get_total_norm(gradients)
        if (gather := getattr(norm, "full_tensor", None)) is not None:  # each process holds a part
            norm = gather()
        if self.config.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(list(self.names), self.config.clip, norm)
        return norm

    def clear_gradient(self) -> None:
        """Forget the gradient."""
        for weight in self.names:
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """Every moment by `parameter/moment`, for a checkpoint."""
        return {
            f"{name}/{moment}": tensor
            for rule in self._rules
            for weight, name in self.names.items()
            for moment, tensor in rule.state.get(weight, {}).items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        weights = {name: weight for weight, name in self.names.items()}
        owners = {w: rule for rule in self._rules for g in rule.param_groups for w in g["params"]}
        for key, tensor in state.items():
            name, moment = key.rsplit("/", 1)
            owners[weights[name]].state[weights[name]][moment] = tensor

    def _param_groups(self) -> list[dict[str, Any]]:
        return [group for rule in self._rules for group in rule.param_groups]


def _groups(
    names: dict[Tensor, str], config: OptimiserConfig
) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """Muon's matrices, and AdamW's groups of the rest, each parameter once."""
    matrices: list[Tensor] = []
    groups: dict[float, list[Tensor]] = {}
    for weight, name in names.items():
        if is_hidden_matrix(name, weight):
            if config.matrix_rule == "muon":
                matrices.append(weight)
            else:
                groups.setdefault(config.matrix_rate, []).append(weight)
        elif weight.ndim < 2:
            groups.setdefault(config.scalar_rate, []).append(weight)
        elif name.startswith("embedding."):
            groups.setdefault(config.embedding_rate, []).append(weight)
        else:
            groups.setdefault(config.head_rate, []).append(weight)
    return matrices, [{"params": weights, "lr": rate} for rate, weights in groups.items()]


def is_hidden_matrix(name: str, weight: Tensor) -> bool:
    """Whether this is what Muon is for: no token vectors, and nothing of what judges at the end."""
    return weight.ndim == 2 and not name.startswith(("embedding.", "head.", "pooling."))
