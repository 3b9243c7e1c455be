"""What all opened models share: where they came from, what they can do, and how they say no."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hornbook.core.errors import UsageError

VERBS = ("generate", "chat", "stream", "classify", "translate", "embed", "rerank", "decide")
"""All that a model can be asked to do; each kind can do some of it."""


class WrongKind(UsageError, AttributeError):
    """A model was asked for what another kind of model does."""


class Opened:
    """A model made ready to use.

    path: as it was given. kind: what such a model is called, with its article. abilities: what it
    does, of `VERBS`.
    """

    kind: ClassVar[str]
    abilities: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    if not TYPE_CHECKING:  # a type checker says the same before the program runs

        def __getattr__(self, name: str) -> Any:
            if name in VERBS:
                raise wrong_kind(self.path, type(self), name)
            raise AttributeError(f"{self!r} has no {name!r}.", name=name, obj=self)


def wrong_kind(path: Path, found: type[Opened], wanted: str) -> WrongKind:
    """The error for a model that cannot do what is wanted of it."""
    able = " and ".join(", ".join(found.abilities).rsplit(", ", 1))
    if wanted == "classify":
        return WrongKind(
            f"{path} is {found.kind}: it can {able}, not {wanted}. Make a classifier of it with: "
            f"hornbook finetune {path} --task classify --data FILE --out RUN"
        )
    return WrongKind(f"{path} is {found.kind}: it can {able}, not {wanted}.")


def texts_of(given: Iterable[str]) -> Iterator[str]:
    """The texts, one by one. Raises UsageError for what is no text, saying where."""
    if isinstance(given, bytes | Mapping) or not isinstance(given, Iterable):
        raise UsageError(f"Give a text, or several of them, not {_shown(given)}.")
    for at, text in enumerate(given):
        if not isinstance(text, str):
            raise UsageError(f"The text at {at} is {_shown(text)}, which is no text.")
        yield text


def _shown(value: object) -> str:
    return f"{value!r:.60} ({type(value).__name__})"
