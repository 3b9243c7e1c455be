"""How much of a model is tuned: all of it, its last layers, its head, or low-rank additions."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import pydantic
from torch import nn

from hornbook.adapt import lora
from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.model import Model

RANK = 16
"""Of LoRA where none is named."""
MOST = 2**16
"""Layers or ranks beyond this are a slip of the hand."""

_FORM = re.compile(r"(?P<kind>full|head|last|lora)(?::(?P<number>[0-9]{1,5}))?")
_VALID = "Valid: full, last:N (the last N layers), head, lora, lora:R (of rank R)."
_HEADS = ("head.", "transform.", "pooling.")


class Method(Config):
    """What may move. layers: of `last`. rank, alpha, dropout: of `lora`, as `LoRALinear` says.

    alpha: None for twice the rank.
    """

    kind: Literal["full", "last", "head", "lora"]
    layers: int | None = pydantic.Field(default=None, ge=1, le=MOST)
    rank: int | None = pydantic.Field(default=None, ge=1, le=MOST)
    alpha: float | None = pydantic.Field(default=None, gt=0, allow_inf_nan=False)
    dropout: float = pydantic.Field(default=0.0, ge=0.0, lt=1.0)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "last") != (self.layers is not None):
            raise ValueError("a number of layers is what `last` has")
        if (self.kind == "lora") != (self.rank is not None):
            raise ValueError("a rank is what `lora` has")
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any] | str, where: str = "--method") -> Self:
        """As users write it: "full", "last:N", "head", "lora" or "lora:R"; or from plain data.

        Raises UsageError naming the valid forms, or the key that is wrong.
        """
        return super().parse(_values(values) if isinstance(values, str) else values, where)

    def __str__(self) -> str:
        number = self.layers if self.kind == "last" else self.rank
        return self.kind if number is None else f"{self.kind}:{number}"

    def apply(self, model: Model, seed: int) -> None:
        """Freeze what stays (requires_grad is False) and insert what is new, drawn by `seed`.

        full: everything moves. head: what stands behind the stack moves alone (BERT's transform
        and a classifier's pooling belong to it); where the head is the token vectors transposed,
        they are what moves. last: the last layers of each stack, a layer being what papers call
        one (a mixer and an MLP), its final normalisation, and the head, but not token vectors that
        it shares. lora: thin matrices beside every linear map of the stacks, and all of the head
        and pooling of a classifier, which are new.

        Raises UsageError when the model has fewer layers, has no head, or nothing for LoRA to
        stand beside.
        """
        if self.kind == "full":
            model.requires_grad_(True)
            return
        if self.kind == "lora":
            assert self.rank is not None
            alpha = 2.0 * self.rank if self.alpha is None else self.alpha
            lora.insert(model, self.rank, alpha, self.dropout, seed)
        _freeze(model)
        if self.kind == "head":
            _free_head(model, shared=True)
        elif self.kind == "last":
            assert self.layers is not None
            _free_last(model, self.layers)
            _free_head(model, shared=False)
        elif isinstance(model, ClassifierNetwork):
            _free_head(model, shared=True)


def _values(text: str) -> dict[str, Any]:
    """The fields that a word of the user means; raises UsageError naming the valid ones."""
    found = _FORM.fullmatch(text.strip())
    kind, number = (found["kind"], found["number"]) if found else (None, None)
    if kind == "lora" and number is None:
        number = str(RANK)
    if kind is None or (kind in ("last", "lora")) != (number is not None):
        raise UsageError(f"Unknown method {text!r}. {_VALID}")
    if number is None:
        return {"kind": kind}
    if not 1 <= int(number) <= MOST:
        raise UsageError(f"Method {text!r}: the number must be 1 to {MOST:,}. {_VALID}")
    return {"kind": kind, "layers" if kind == "last" else "rank": int(number)}


class ParameterCounts(NamedTuple):
    """Parameters that may move, and all of them."""

    trained: int
    all: int


def parameter_counts(model: nn.Module) -> ParameterCounts:
    """How many parameters of a model move."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return ParameterCounts(
        sum(size for size, moves in sizes if moves), sum(size for size, _ in sizes)
    )


def _freeze(model: Model) -> None:
    """Everything but the factors of LoRA layers stays."""
    model.requires_grad_(False)
    for _, layer in lora.layers(model):
        layer.down.requires_grad_(True)
        layer.up.requires_grad_(True)


def _free_head(model: Model, shared: bool) -> None:
    """shared: also a head that is the token vectors. Raises UsageError when there is none."""
    embedded = {id(p) for p in model.get_submodule("embedding").parameters()}
    found = False
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if name.startswith(_HEADS):
            found = True
            if shared or id(parameter) not in embedded:
                parameter.requires_grad_(True)
    if not found:
        raise UsageError("This model has no head to tune; it only represents text.")


def _free_last(model: Model, count: int) -> None:
    """The last `count` blocks of each stack and the normalisation after them."""
    for name, config in model.config.stacks().items():
        if count > config.depth:
            raise UsageError(f"last:{count}: the {name} has {config.depth} layers.")
        places = sum(len(block) for block in config.blocks()[-count:])
        stack = model.get_submodule(name)
        parts = stack.get_submodule("layers")
        assert isinstance(parts, nn.ModuleList)
        for part in (*parts[len(parts) - places :], stack.get_submodule("norm")):
            part.requires_grad_(True)
