"""Errors for people: what went wrong, with which value, and the nearest valid choice.

A `HornbookError` reaches the user as one message without a traceback; anything else is our bug
and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class HornbookError(Exception):
    """The work cannot go on, and the message says why and what to do. Exit code 1."""

    exit_code = 1


class UsageError(HornbookError):
    """The command or recipe asks for something that is not there. Exit code 2."""

    exit_code = 2


class Interrupted(HornbookError):
    """Stopped by the user after saving what was done. Exit code 130."""

    exit_code = 130


def nearest(value: str, valid: Iterable[str]) -> str:
    """A sentence that names the closest valid value, or all of them when none is close."""
    choices = sorted(valid)
    close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Valid: {', '.join(choices)}." if choices else "There is none."


def unknown(kind: str, value: str, valid: Iterable[str]) -> UsageError:
    """The error for a name that is not among the valid ones."""
    return UsageError(f"Unknown {kind} {value!r}. {nearest(value, valid)}")
