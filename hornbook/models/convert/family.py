"""What a converter is: a config both ways and a table of tensor names.

Knows names and shapes; knows neither files nor any particular architecture.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import count, takewhile
from typing import Any

import torch
from torch import Tensor

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.fields import WITHOUT_EFFECT, Fields
from hornbook.models.model import ModelConfig
from hornbook.nn.mlp import Activation

ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "relu2": "relu_squared",
    "tanh": "tanh",
}
"""Their activation names to ours; the first of several is the one we write."""


def activation_name(ours: Activation) -> str:
    """Their name of an activation."""
    return next(theirs for theirs, name in ACTIVATIONS.items() if name == ours)


@dataclass(frozen=True)
class TensorRule:
    """One of their tensors: our parameters one below the other, transposed when they say so.

    row: theirs is a matrix of one row where ours is a vector. Names may hold {block}, and ours {0},
    {1} and so on: the places of the block's layers in our stack. Ours may hold {part}, the number
    of one of several like parts of a layer; theirs too, unless all parts are one tensor. A rule
    whose parameters a model does not have does not apply to it, nor does one that stands beside a
    parameter of ours that is not there, or must be without one that is.
    """

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False
    beside: str | None = None
    without: str | None = None
    row: bool = False

    def named(self, block: int, layers: int, part: int = 0) -> "TensorRule":
        """The rule for one block of a stack whose blocks have `layers` layers, and for one of
        several like parts of a layer."""
        places = range(layers * block, layers * (block + 1))
        ours = tuple(name.format(*places, part=part) for name in self.ours)
        beside = self.beside and self.beside.format(*places)
        without = self.without and self.without.format(*places)
        theirs = self.theirs.format(block=block, part=part)
        return replace(self, theirs=theirs, ours=ours, beside=beside, without=without)

    def parts(
        self, block: int, layers: int, parameters: Mapping[str, Tensor]
    ) -> Iterator["TensorRule"]:
        """The rule for one block, once for each of the like parts that the layer has, or once for
        all where their name has no number."""
        rules = (self.named(block, layers, part) for part in count())
        found = takewhile(lambda rule: rule.applies(parameters), rules)
        if "{part}" in self.theirs:
            yield from found
        elif parts := list(found):
            yield replace(parts[0], ours=tuple(name for rule in parts for name in rule.ours))

    def applies(self, parameters: Mapping[str, Tensor]) -> bool:
        """Whether a model with these parameters has the tensor."""
        return (
            self.ours[0] in parameters
            and self.beside in (None, *parameters)
            and self.without not in parameters
        )

    def shape(self, parameters: Mapping[str, Tensor]) -> tuple[int, ...]:
        """The shape that their tensor must have."""
        first = parameters[self.ours[0]]
        rows = sum(parameters[name].shape[0] for name in self.ours)
        shape = (1, rows) if self.row else (rows, *first.shape[1:])
        return shape[::-1] if self.transposed else shape

    def pack(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Our parameters as their tensor, contiguous on the CPU."""
        parts = [parameters[name].detach().cpu() for name in self.ours]
        tensor = torch.cat(parts) if len(parts) > 1 else parts[0]
        tensor = tensor[None] if self.row else tensor
        return (tensor.T if self.transposed else tensor).contiguous()

    @torch.no_grad()
    def unpack(self, tensor: Tensor, parameters: Mapping[str, Tensor]) -> None:
        """Copy their tensor into our parameters, whatever their type and device."""
        rows = [parameters[name].shape[0] for name in self.ours]
        tensor = tensor[0] if self.row else tensor
        parts = (tensor.T if self.transposed else tensor).split(rows)
        for name, part in zip(self.ours, parts, strict=True):
            parameters[name].copy_(part)


def both(theirs: str, ours: str) -> tuple[TensorRule, TensorRule]:
    """Weight and bias of one of their modules, which is one of ours."""
    return (
        TensorRule(f"{theirs}.weight", (f"{ours}.weight",)),
        TensorRule(f"{theirs}.bias", (f"{ours}.bias",)),
    )


@dataclass(frozen=True)
class Family:
    """An architecture of a `model_type` of the ecosystem.

    config: the class of our configs that it can be. read: takes the keys it knows and returns our
    config. write: our config as their keys, or None when it is wired otherwise. rules: none where
    their names are ours. base: the prefix of all their tensors but those of the head (globs);
    some files were saved without it. copies: their tensors that repeat another (by its name in the
    rules) when the model has no parameter of its own for them. obsolete: globs of constant tensors
    in old files, and of tensors of other heads. renamed: ends of names in old files to those of
    the rules. moved: beginnings, the first that fits.
    """

    model_type: str
    architecture: str
    config: type[ModelConfig]
    read: Callable[[Fields], ModelConfig]
    write: Callable[[Any], dict[str, Any] | None]
    rules: tuple[TensorRule, ...]
    base: str
    head: tuple[str, ...] = ("lm_head.weight",)
    copies: Mapping[str, str] = field(default_factory=dict)
    obsolete: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)

    def table(self, config: ModelConfig, parameters: Mapping[str, Tensor]) -> list[TensorRule]:
        """The rules that apply to a model, block by block. Every parameter has exactly one."""
        expanded = self._expanded(config, parameters)
        rules = [rule for rule in expanded if rule.applies(parameters)]
        named = sorted(name for rule in rules for name in rule.ours)
        assert named == sorted(parameters), set(named) ^ set(parameters)
        return rules

    def copied(self, rules: Iterable[TensorRule]) -> dict[str, str]:
        """The copies among their tensors that have no rule of their own, given a model's rules."""
        ruled = {rule.theirs for rule in rules}
        return {copy: of for copy, of in self.copies.items() if copy not in ruled}

    def full_names(self, stored: Iterable[str]) -> dict[str, str]:
        """Names as the rules have them to names as stored, without obsolete ones."""
        named = {self._moved(name): name for name in stored}
        kept = [name for name in named if not any(fnmatchcase(name, g) for g in self.obsolete)]
        bare = not any(name.startswith(self.base) for name in kept)
        return {
            self._renamed(self.base + name if bare and not self._in_head(name) else name): named[
                name
            ]
            for name in kept
        }

    def _moved(self, name: str) -> str:
        for old, new in self.moved.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name

    def _renamed(self, name: str) -> str:
        for old, new in self.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def _in_head(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.head)

    def _expanded(
        self, config: ModelConfig, parameters: Mapping[str, Tensor]
    ) -> Iterator[TensorRule]:
        if not self.rules:
            yield from (TensorRule(name, (name,)) for name in parameters)
            return
        stacks = config.stacks()
        for rule in self.rules:
            if "{block}" not in rule.theirs:
                yield rule
                continue
            stack = stacks[rule.ours[0].split(".")[0]]
            layers = len(stack.pattern[0])
            for block in range(stack.depth):
                if "{part}" in rule.ours[0]:
                    yield from rule.parts(block, layers, parameters)
                else:
                    yield rule.named(block, layers)


COPIES = {"lm_head.weight": "model.embed_tokens.weight"}
"""Of decoders whose files are laid out as Llama's."""


def decoder_family(
    model_type: str,
    architecture: str,
    read: Callable[[Fields], ModelConfig],
    write: Callable[[Any], dict[str, Any] | None],
    rules: tuple[TensorRule, ...],
    obsolete: tuple[str, ...] = (),
) -> Family:
    """A family of decoders whose files have Llama's names around their blocks."""
    return Family(
        model_type=model_type,
        architecture=architecture,
        config=CausalLMConfig,
        read=read,
        write=write,
        rules=rules,
        base="model.",
        copies=COPIES,
        obsolete=obsolete,
    )


_INSIDE = "model.language_model."


def with_images(
    text: Family, model_type: str, architecture: str, others: tuple[str, ...]
) -> Family:
    """A family whose files hold a decoder inside a model that sees images as well: its text is
    read, and written as what it is. others: globs of the tensors that are not its."""

    def read(fields: Fields) -> ModelConfig:
        inner = fields.inner("text_config")
        config = text.read(inner)
        inner.ignore(*WITHOUT_EFFECT)
        inner.finish()
        fields.ignore("vision_config", "*_token_id", "*_token_index", "mm_tokens_per_image")
        assert isinstance(config, CausalLMConfig)
        return config.model_copy(update={"tied": fields.flag("tie_word_embeddings", config.tied)})

    def inside(name: str) -> str:
        kept = name.removeprefix("model.")
        return name if kept == name else _INSIDE + kept

    return replace(
        text,
        model_type=model_type,
        architecture=architecture,
        read=read,
        write=lambda config: None,
        rules=tuple(replace(rule, theirs=inside(rule.theirs)) for rule in text.rules),
        base=_INSIDE,
        copies={head: inside(of) for head, of in text.copies.items()},
        obsolete=(*text.obsolete, *others),
        # As version 4.51 of `transformers` and all before had it.
        moved={"language_model.model.": _INSIDE, "language_model.lm_head.": "lm_head."},
    )
