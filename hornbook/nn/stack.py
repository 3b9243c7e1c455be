"""Blocks and stacks: a block is a tuple of layers, a stack repeats a pattern of blocks.

Knows nothing of what the layers do, of embeddings or of heads.
"""

from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.contract import AnyLayer, Cache, Context, Layer
from hornbook.nn.norm import NormConfig
from hornbook.nn.relative import RelativeBiasConfig

Block = tuple[AnyLayer, ...]


class StackConfig(Config):
    """`depth` blocks, the pattern over and over, then one normalisation unless norm is None.

    relative: positions as a bias of all its attentions, or None.
    """

    pattern: tuple[Block, ...]
    depth: int
    norm: NormConfig | None
    relative: RelativeBiasConfig | None = None

    def blocks(self) -> list[Block]:
        """The blocks in order."""
        return [self.pattern[i % len(self.pattern)] for i in range(self.depth)]

    def build(self, width: int) -> "Stack":
        return Stack(self, width)

    def parameters(self, width: int) -> int:
        layers = sum(layer.parameters(width) for block in self.blocks() for layer in block)
        return layers + self._shared(width)

    def active(self, width: int) -> int:
        """How many parameters a token meets."""
        layers = sum(layer.active(width) for block in self.blocks() for layer in block)
        return layers + self._shared(width)

    def _shared(self, width: int) -> int:
        norm = self.norm.parameters(width) if self.norm else 0
        return norm + (self.relative.parameters() if self.relative else 0)

    def mixing(self, context: int) -> int:
        """Multiply-adds of a token between positions, forward."""
        return sum(layer.mixing(context) for block in self.blocks() for layer in block)


class Stack(nn.Module):
    """(B, T, D) -> (B, T, D) through all blocks."""

    def __init__(self, config: StackConfig, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            layer.build(width) for block in config.blocks() for layer in block
        )
        self.norm = config.norm.build(width) if config.norm else nn.Identity()
        self.relative = config.relative.build() if config.relative else None

    def forward(self, x: Tensor, ctx: Context, caches: list[Cache] | None = None) -> Tensor:
        if self.relative is not None:
            keys = x.shape[1] if caches is None else ctx.reach
            ctx = ctx._replace(bias=self.relative(ctx.pos, keys))
        for i, layer in enumerate(self.layers):
            x = layer(x, ctx, caches[i] if caches is not None else None)
        y: Tensor = self.norm(x)
        return y

    def new_caches(self, rows: int, capacity: int, like: Tensor) -> list[Cache]:
        """One empty cache a layer, in the order of the layers."""
        layers = cast(Iterable[Layer], self.layers)
        return [layer.new_cache(rows, capacity, like) for layer in layers]

    def positional(self) -> list[frozenset[str]]:
        """What in each cache holds an entry for every position."""
        return [layer.positional() for layer in cast(Iterable[Layer], self.layers)]

    def remember(
        self, memory: Tensor, memory_valid: Tensor, caches: list[Cache]
    ) -> list[frozenset[str]]:
        """Let every layer put what it needs of a memory (B, S, D) into its cache.

        Returns the names of what each cache now holds of it.
        """
        put = []
        for layer, cache in zip(cast(Iterable[Layer], self.layers), caches, strict=True):
            before = dict(cache)
            layer.remember(memory, memory_valid, cache)
            put.append(frozenset(n for n, t in cache.items() if t is not before.get(n)))
        return put
