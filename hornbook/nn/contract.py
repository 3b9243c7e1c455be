"""The contract that every layer keeps, and the state that lets a sequence go on in chunks.

A layer maps (B, T, D) to (B, T, D) given a `Context`. With a cache it continues where the rows
stopped. Layers never count time: `State` owns the only clock, and `Context.pos` tells it.
Knows nothing of any particular layer.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

import pydantic
import torch
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.core.errors import unknown
from hornbook.nn.capacity import require_capacity


class Mask(NamedTuple):
    """What may be seen, as a meaning; `masks.py` turns it into kernel arguments.

    causal: position t sees positions up to t only.
    valid: (B, T) bool, True = a real token, or None when all are real. With a cache, the
        invalid tokens of a chunk come after the valid ones (right padding).
    segments: (B, T) int, tokens see tokens of their own segment only, or None for one segment.
        For packed training batches; a cache holds one segment a row.
    """

    causal: bool
    valid: Tensor | None = None
    segments: Tensor | None = None


class Context(NamedTuple):
    """What a layer may know besides its input.

    pos: (B, T) or (1, T) int64, the position of each token in its sequence.
    reach: with a cache, how many of its entries are in use once this chunk is written, by the rows
        that have a valid token in it.
    memory, memory_valid: (B, S, D) and (B, S) bool, what cross-attention looks at. With a cache
        they are absent: the layers that look at a memory have remembered it.
    shared: what layers of one pass have computed and others can take; None where nothing is kept.
    room: with a cache, how many tokens each row may come to have.
    bias: (B or 1, H, T, S), added to the scores of self-attention; the stack's relative positions.
    """

    pos: Tensor
    mask: Mask
    reach: int = 0
    memory: Tensor | None = None
    memory_valid: Tensor | None = None
    shared: dict[Any, Any] | None = None
    room: int = 0
    bias: Tensor | None = None

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What `compute` gives, computed once for all layers of a pass that name it alike."""
        if self.shared is None:
            return compute()
        if key not in self.shared:
            self.shared[key] = compute()
        return self.shared[key]


Cache = dict[str, Tensor]
"""A layer's memory of the past: tensors with rows first and a fixed shape, updated in place."""


class Layer(nn.Module, ABC):
    """(B, T, D) -> (B, T, D). The contract test runs over every registered one.

    unadapted: its linear maps that LoRA leaves alone. begins_with_products: nothing else reads its
    input, which may then be of the products' type.
    """

    unadapted: ClassVar[frozenset[str]] = frozenset()
    begins_with_products: ClassVar[bool] = False

    @abstractmethod
    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor: ...

    @abstractmethod
    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        """Empty memory for `rows` sequences of at most `capacity` tokens, of `like`'s device and
        type."""

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        """Put what cross-attention needs of a memory (B, S, D), valid (B, S) bool, into its cache.

        Once, before the first chunk. Layers that look at no memory have nothing to do.
        """

    def positional(self) -> frozenset[str]:
        """What in its cache holds an entry for every position, hidden from positions before it,
        in the third dimension.

        A row of it is cut to a prefix, or made new, by moving the clock back. A recurrence has
        nothing of the kind: its state is that of all tokens so far.
        """
        return frozenset()


class LayerConfig(Config, ABC):
    """The few numbers a layer is built from. Shared sizes come at `build`.

    ours: no model of the ecosystem has such a layer; a model with it is written with our config.
    one_way: it looks back only, and refuses a mask that is not causal.
    """

    ours: ClassVar[bool] = False
    one_way: ClassVar[bool] = False

    @abstractmethod
    def build(self, width: int) -> Layer: ...

    @abstractmethod
    def parameters(self, width: int) -> int:
        """How many parameters `build(width)` has, without building it."""

    def active(self, width: int) -> int:
        """How many parameters a token meets: all, but in a mixture of experts."""
        return self.parameters(width)

    def mixing(self, context: int) -> int:
        """Multiply-adds of a token between positions, forward, on average over sequences of
        `context` tokens: what it costs besides the parameters that it meets."""
        return 0

    @classmethod
    @abstractmethod
    def examples(cls) -> Sequence[Self]:
        """Small variants for the contract test, each fit for a width of 16."""


LAYERS: dict[str, type[LayerConfig]] = {}
"""The layers by name whose modules are imported."""


def all_layers() -> dict[str, type[LayerConfig]]:
    """All layers of this package by name; the contract test runs over them.

    Imported when they are asked for: some modules beside them do without torch.
    """
    folder = Path(__file__).parent
    for module in pkgutil.iter_modules([str(folder)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return LAYERS


_Config = TypeVar("_Config", bound=type[LayerConfig])


def register(name: str) -> Callable[[_Config], _Config]:
    """Class decorator that enters a LayerConfig into LAYERS, and so into the contract test."""

    def enter(cls: _Config) -> _Config:
        assert name not in LAYERS, name
        LAYERS[name] = cls
        return cls

    return enter


def _from_plain(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("kind"))
    layers = LAYERS if name in LAYERS else all_layers()
    if name not in layers:
        raise unknown("layer kind", name, layers)
    return layers[name].parse({k: v for k, v in value.items() if k != "kind"}, name)


def _to_plain(config: LayerConfig) -> dict[str, Any]:
    (kind,) = (name for name, cls in LAYERS.items() if cls is type(config))
    return {"kind": kind, **config.plain()}


AnyLayer = Annotated[
    pydantic.SkipValidation[LayerConfig],
    pydantic.BeforeValidator(_from_plain),
    pydantic.PlainSerializer(_to_plain),
]
"""A config field that holds any registered layer's config; plain data carries its `kind`."""


@dataclass
class State:
    """How far each row has come (`length`, the only clock) and every layer's cache.

    length: (rows,) int64. caches: one `Cache` a layer, in the order of the stack. remembered: what
    in each of them comes from a memory, which does not change as rows go on; empty without one.
    positional: what in each of them its layer calls so; empty when nothing is known of them.
    """

    length: Tensor
    capacity: int
    caches: list[Cache]
    remembered: list[frozenset[str]] = field(default_factory=list)
    positional: list[frozenset[str]] = field(default_factory=list)

    @property
    def cuttable(self) -> bool:
        """Whether a row can be cut to any prefix of its tokens, not to nothing alone."""
        fixed = zip(self._names(self.positional), self._names(self.remembered), strict=True)
        return all(
            cache.keys() <= positional | remembered
            for cache, (positional, remembered) in zip(self.caches, fixed, strict=True)
        )

    def context(self, time: int, valid: Tensor | None) -> Context:
        """The context of the next `time` tokens of every row.

        Raises HornbookError, before any cache is written, when a row would outgrow its capacity.
        """
        reach = int(self.length.max()) + time
        require_capacity(reach, self.capacity)
        if valid is not None:  # what waiting rows hold is looked at by nobody
            reach = int((self.length * valid.any(1)).max()) + time
        pos = self.length[:, None] + torch.arange(time, device=self.length.device)
        return Context(pos, Mask(causal=True, valid=valid), reach, shared={}, room=self.capacity)

    def advance(self, counts: Tensor | int) -> None:
        """Move the clock by the number of valid tokens just seen, (rows,) or one for all."""
        self.length += counts

    def take(self, rows: Tensor) -> "State":
        """A copy of some rows (int64 indices) as a state of their own."""
        caches = [
            {name: t.index_select(0, rows) for name, t in cache.items()} for cache in self.caches
        ]
        return replace(self, length=self.length[rows], caches=caches)

    def view(self, first: int, stop: int) -> "State":
        """Rows `first` to `stop` as a state that shares their memory: what moves one moves both."""
        caches = [{name: t[first:stop] for name, t in cache.items()} for cache in self.caches]
        return replace(self, length=self.length[first:stop], caches=caches)

    def follow(self, rows: Tensor) -> None:
        """Let row i go on from row `rows[i]` (int64), which has the same memory."""
        if torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            return
        used = int(self.length.max())
        self.length = self.length[rows]
        names = zip(self._names(self.remembered), self._names(self.positional), strict=True)
        for cache, (kept, positional) in zip(self.caches, names, strict=True):
            for name in cache.keys() - kept:
                if name in positional:  # what is not used yet need not move
                    moved = cache[name][:, :, :used]
                    moved.copy_(moved.index_select(0, rows))
                else:
                    cache[name] = cache[name].index_select(0, rows)

    def put(self, rows: Tensor, other: "State") -> None:
        """Overwrite some rows with the rows of another state of the same model and capacity."""
        self.length[rows] = other.length
        for mine, theirs in zip(self.caches, other.caches, strict=True):
            for name, tensor in mine.items():
                tensor[rows] = theirs[name]

    def clear(self, rows: Tensor) -> None:
        """Make rows new: length 0 and empty caches. Entries of positions are hidden, not erased,
        as they may be most of the machine's memory."""
        self.length[rows] = 0
        for cache, hidden in zip(self.caches, self._names(self.positional), strict=True):
            for name in cache.keys() - hidden:
                cache[name][rows] = 0

    def cut(self, row: int, length: int) -> None:
        """Let a row hold its first `length` tokens only, as if the others had never come.

        Only a `cuttable` state can cut in the middle; all of a row or nothing can be kept always.
        """
        held = int(self.length[row])
        assert 0 <= length <= held, (length, held)
        if length == 0:
            self.clear(torch.tensor([row], device=self.length.device))
        elif length < held:
            assert self.cuttable, "a recurrent state is that of all tokens so far"
            self.length[row] = length

    def copy(self, source: int, target: int, length: int) -> None:
        """Let row `target` hold the first `length` tokens of row `source`; of a `cuttable` state
        without a memory."""
        assert self.cuttable and not any(self.remembered), "only what positions hold is copied"
        assert 0 <= length <= int(self.length[source])
        for cache, names in zip(self.caches, self.positional, strict=True):
            for name in names:
                cache[name][target, :, :length] = cache[name][source, :, :length]
        self.length[target] = length

    def snapshot(self) -> "State":
        """A copy that later updates do not touch."""
        return self.take(torch.arange(len(self.length), device=self.length.device))

    def _names(self, names: list[frozenset[str]]) -> list[frozenset[str]]:
        """One set of names a cache, empty where nothing is known."""
        return names or [frozenset()] * len(self.caches)
