"""Derived values, each with its reason, and the user's word over them."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from hornbook.core.config import Config
from hornbook.core.errors import UsageError

Made = TypeVar("Made", bound=Config)


class Choice(NamedTuple):
    """One derived value, for people."""

    name: str
    value: object
    reason: str


class Planned(NamedTuple, Generic[Made]):
    """What was derived, as one value, and the reasons for it."""

    plan: Made
    choices: list[Choice]


class Choices:
    """Collects what is chosen.

    wanted: what the user set, None where he did not. there: what is fixed already, in the same way.
    """

    def __init__(self, wanted: Config, there: Config | None = None) -> None:
        self._wanted, self._there = wanted, there
        self.made: list[Choice] = []

    def pick(self, name: str, value: Any, reason: str) -> Any:
        """The value to use: what is there, what the user set, or else the derived `value`.

        Raises UsageError when the user wishes for another value than that which is there.
        """
        given, fixed = getattr(self._wanted, name), getattr(self._there, name, None)
        if given is not None and fixed is not None:
            raise UsageError(f"{name} is {fixed} in the model to go on from; it cannot be {given}.")
        if fixed is not None:
            choice = Choice(name, fixed, "of the model to go on from")
        elif given is not None:
            choice = Choice(name, given, "as asked for")
        else:
            choice = Choice(name, value, reason)
        self.made.append(choice)
        return choice.value

    def fix(self, name: str, value: Any, reason: str) -> Any:
        """The value that is given by something else; raises UsageError where another is wished."""
        wanted = getattr(self._wanted, name)
        if wanted not in (None, value):
            raise UsageError(f"{name} is {value} {reason}; it cannot be {wanted}.")
        self.made.append(Choice(name, value, reason))
        return value

    def plan(self, kind: type[Made]) -> Made:
        """All that was chosen, as one value; raises UsageError for what cannot be."""
        return kind.parse({choice.name: choice.value for choice in self.made}, "the plan")


def replaced(choices: Sequence[Choice], other: Choice) -> list[Choice]:
    """The choices with another value for one of them."""
    return [other if choice.name == other.name else choice for choice in choices]
