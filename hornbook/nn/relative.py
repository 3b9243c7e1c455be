"""Relative positions as a bias of attention's scores (Raffel et al. 2020, 2.1).

A number for each head and bucket of distances, the same in all layers of a stack.
"""

import math

import torch
from torch import Tensor, nn

from hornbook.core.config import Config


class RelativeBiasConfig(Config):
    """buckets: of distances, half of them one distance each, the others wider and wider up to
    `distance`, from which all are in the last. both_ways: half of the buckets are for what comes
    after a token."""

    heads: int
    buckets: int = 32
    distance: int = 128
    both_ways: bool = True

    def build(self) -> "RelativeBias":
        return RelativeBias(self)

    def parameters(self) -> int:
        """How many it has."""
        return self.buckets * self.heads


class RelativeBias(nn.Module):
    """pos (B or 1, T) -> (B or 1, H, T, keys), added to the scores of keys at 0, 1, 2 and so on."""

    def __init__(self, config: RelativeBiasConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Embedding(config.buckets, config.heads)

    def forward(self, pos: Tensor, keys: int) -> Tensor:
        ahead = torch.arange(keys, device=pos.device) - pos[..., None]
        found: Tensor = self.table(self._bucket(ahead))
        return found.permute(0, 3, 1, 2)

    def _bucket(self, ahead: Tensor) -> Tensor:
        """Of a key so many tokens ahead of the query, int64."""
        buckets, first = self.config.buckets, torch.zeros_like(ahead)
        if self.config.both_ways:
            buckets //= 2
            first = (ahead > 0) * buckets
            away = ahead.abs()
        else:
            away = -ahead.clamp(max=0)
        exact = buckets // 2
        # The same order of float32 operations as elsewhere: a border is worth a bucket.
        wide = torch.log(away.clamp(min=1).float() / exact) / math.log(self.config.distance / exact)
        wider = exact + (wide * (buckets - exact)).to(torch.int64)
        return first + torch.where(away < exact, away, wider.clamp(max=buckets - 1))
