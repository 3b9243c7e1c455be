"""Errors for people: what went wrong, with which value, and the nearest valid choice.

A `HornbookError` reaches the user as one message without a traceback; anything else is our bug
and keeps its traceback.
"""

import difflib
import heapq
from collections.abc import Iterable

_LONGEST_LIST, _LONGEST_NAME = 1200, 200
"""Characters of a list of names in a message, and of one name of three."""
_MOST_COMPARED = 200
"""Names that are compared letter by letter."""


class HornbookError(Exception):
    """The work cannot go on, and the message says why and what to do. Exit code 1."""

    exit_code = 1


class UsageError(HornbookError):
    """The command or recipe asks for something that is not there. Exit code 2."""

    exit_code = 2


class Interrupted(HornbookError):
    """Stopped by the user after saving what was done. Exit code 130, or 143 after SIGTERM."""

    def __init__(self, message: str, signal: int = 2) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal


def nearest(value: str, valid: Iterable[str], most: int = 50) -> str:
    """A sentence that names the closest valid value; when none is close, all of at most `most`, or
    the three that are closest.
    """
    choices = sorted(valid)
    if not choices:
        return "There is none."
    few = choices if len(choices) <= _MOST_COMPARED else _alike(value, choices)
    if close := difflib.get_close_matches(value, few, n=1, cutoff=0.5):
        return f"Did you mean {close[0]!r}?"
    listed = f"Valid: {', '.join(choices)}." if len(choices) <= most else ""
    if listed and len(listed) <= _LONGEST_LIST:
        return listed
    three = difflib.get_close_matches(value, few, n=3, cutoff=0.0)
    return f"The nearest of {len(choices):,}: {', '.join(map(_short, three))}."


def _alike(value: str, choices: list[str]) -> list[str]:
    """The choices that share the most pairs of characters: difflib takes minutes over a million."""
    wanted = {value[i : i + 2] for i in range(min(len(value), _LONGEST_LIST) - 1)}

    def shared(choice: str) -> int:
        return sum(map(choice[:_LONGEST_LIST].__contains__, wanted))

    return heapq.nlargest(_MOST_COMPARED, choices, key=shared)


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…")


def unknown(kind: str, value: str, valid: Iterable[str]) -> UsageError:
    """The error for a name that is not among the valid ones."""
    return UsageError(f"Unknown {kind} {value!r}. {nearest(value, valid)}")


def is_panic(error: BaseException) -> bool:
    """Whether a library in Rust gave up on what it was given, which is no `Exception`."""
    return type(error).__name__ == "PanicException"
