"""Derived values, each with its reason, and the user's word over them.

Knows names and values; knows nothing of what they mean.
"""

from typing import Any, NamedTuple, TypeVar

from hornbook.core.config import Config
from hornbook.core.errors import UsageError

Made = TypeVar("Made", bound=Config)


class Choice(NamedTuple):
    """One derived value, for people."""

    name: str
    value: object
    reason: str


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
            choice = Choice(name, given, "you set it")
        else:
            choice = Choice(name, value, reason)
        self.made.append(choice)
        return choice.value

    def plan(self, kind: type[Made]) -> Made:
        """All that was chosen, as one value; raises UsageError for what cannot be."""
        return kind.parse({choice.name: choice.value for choice in self.made}, "the plan")
