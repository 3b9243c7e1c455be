"""What all families share: a config that builds, counts and names its stacks, and a model of it.

Knows nothing of any family, of files or of training.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hornbook.core.config import Config
from hornbook.nn.stack import StackConfig


class ModelConfig(Config, ABC):
    """A model's wiring as data. Shared sizes stand here once and flow down at build.

    vocab: how many tokens have an embedding; None for a model that reads no tokens. width: channels
    of the stream. context: the longest sequence, in tokens.
    """

    vocab: int | None
    width: int
    context: int

    def build(self, seed: int = 0) -> "Model":
        """A model with freshly initialised weights, the same for the same seed."""
        model = self.empty()
        model.reset(seed)
        return model

    @abstractmethod
    def empty(self) -> "Model":
        """A model whose weights are yet to be filled."""

    def outline(self) -> "Model":
        """A model of shapes alone, on torch's meta device."""
        with torch.device("meta"), _NoValues():
            return self.empty()

    @abstractmethod
    def parameters(self) -> int:
        """How many parameters the model has, without building it."""

    def active(self) -> int:
        """How many parameters a token meets: all, but in a mixture of experts."""
        stacks = self.stacks().values()
        spared = sum(each.parameters(self.width) - each.active(self.width) for each in stacks)
        return self.parameters() - spared

    @abstractmethod
    def stacks(self) -> Mapping[str, StackConfig]:
        """The stacks by the name under which the model holds them."""


class _NoValues(TorchFunctionMode):
    """Parameters keep no first values. On the meta device drawing them changes nothing, but loads
    torch's Python decompositions: 800 modules, half a second and 70 MB."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class Model(nn.Module, ABC):
    """A family: it wires embed, stack and head, and computes nothing else."""

    config: ModelConfig

    @property
    def device(self) -> torch.device:
        """Where the weights are, codes among them."""
        return next(self.parameters()).device

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Give every parameter a fresh value; the same for the same seed."""

    @abstractmethod
    def tie(self) -> None:
        """Make parameters that the config says are one, one again."""
