"""Tokens to vectors, and optionally learned positions (Radford et al. 2019)."""

from torch import Tensor, nn

from hornbook.core.config import Config


class EmbeddingConfig(Config):
    """positions: how many learned position vectors are added, or None for none."""

    positions: int | None = None

    def build(self, vocab: int, width: int) -> "Embedding":
        return Embedding(self, vocab, width)

    def parameters(self, vocab: int, width: int) -> int:
        return (vocab + (self.positions or 0)) * width


class Embedding(nn.Module):
    """tokens (B, T), pos (B or 1, T) -> (B, T, D)"""

    def __init__(self, config: EmbeddingConfig, vocab: int, width: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab, width)
        learned = config.positions
        self.position = nn.Embedding(learned, width) if learned is not None else None

    def forward(self, tokens: Tensor, pos: Tensor) -> Tensor:
        x = self.token(tokens)
        return x if self.position is None else x + self.position(pos)
