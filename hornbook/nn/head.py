"""The last linear map, from what the stack says to logits, with a cap on them or none."""

from torch import Tensor, nn


class CappedLinear(nn.Linear):
    """cap tanh(x W^T / cap), (..., D) -> (..., V), so that no logit is beyond the cap."""

    def __init__(self, width: int, vocab: int, cap: float) -> None:
        super().__init__(width, vocab, bias=False)
        self.cap = cap

    def forward(self, x: Tensor) -> Tensor:
        return capped(super().forward(x), self.cap)


class Capped(nn.Module):
    """A cap on what another linear map says."""

    def __init__(self, linear: nn.Module, cap: float) -> None:
        super().__init__()
        self.linear, self.cap = linear, cap

    def forward(self, x: Tensor) -> Tensor:
        return capped(self.linear(x), self.cap)


def head(width: int, vocab: int, cap: float | None) -> nn.Linear:
    """The head of a decoder."""
    if cap is None:
        return nn.Linear(width, vocab, bias=False)
    return CappedLinear(width, vocab, cap)


def cap_of(linear: nn.Module) -> float | None:
    """The cap on what a head says, if there is one."""
    return linear.cap if isinstance(linear, CappedLinear) else None


def capped(logits: Tensor, cap: float) -> Tensor:
    """cap tanh(logits / cap), computed in float32."""
    return (cap * (logits.float() / cap).tanh()).to(logits.dtype)
