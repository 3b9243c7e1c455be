"""What is said to people, in English or in Chinese.

The code says everything once, in English. `chinese.json` holds for the pattern of a message (its
text, {} for each value in it) the Chinese one: {} takes the next value and {0} the first one as
they are, {0!} a value that is a message itself and is looked up in turn. What is not there stays
English. Objects of --json and files that programs read are never translated.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from hornbook.core.errors import unknown

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_VALUE = re.compile(r"\{(\d*)(!?)\}")
_spoken: list[Language] = ["en"]


def speak(language: str | None) -> None:
    """Say what is said from now on in this language; None: that of the system (see `of_system`).

    Raises UsageError for a language that is none of LANGUAGES.
    """
    chosen = of_system(os.environ) if language is None else language
    if chosen not in LANGUAGES:
        raise unknown("language", chosen, LANGUAGES)
    _spoken[0] = chosen


def spoken() -> Language:
    """The language in which things are said."""
    return _spoken[0]


def of_system(environment: Mapping[str, str]) -> Language:
    """The language that LC_ALL, LC_MESSAGES or LANG names, as POSIX orders them."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def told(message: str) -> str:
    """The message in the language that is spoken."""
    return chinese(message) if spoken() == "zh" else message


def chinese(message: str) -> str:
    """The message in Chinese as far as `chinese.json` has it, each of its lines by itself."""
    if "\n" in message:
        return "\n".join(map(chinese, message.split("\n")))
    exact = _exact().get(message)
    if exact is not None:
        return exact
    for pattern in _patterns():
        if values := pattern.values(message):
            return _filled(pattern.chinese, values)
    line = message.lstrip(" ")
    return message if line == message else message[: -len(line) or None] + chinese(line)


def chinese_pattern(english: str) -> str:
    """A message in Chinese whose values are still to come: {} takes the next one, {0} the first."""
    return _entries().get(english, english)


class _Pattern(NamedTuple):
    """A message with values in it. start, end: its text before the first and after the last."""

    start: str
    end: str
    english: str
    chinese: str

    def values(self, message: str) -> tuple[str, ...] | None:
        """The values in a message of this pattern; None where it is none of it."""
        indented = not self.start and message.startswith(" ")
        if indented or not (message.startswith(self.start) and message.endswith(self.end)):
            return None
        found = _expression(self.english).fullmatch(message)
        return found.groups() if found else None


@cache
def _expression(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, english.split("{}"))))


def _filled(chinese_pattern: str, values: tuple[str, ...]) -> str:
    turn = iter(values)

    def value(found: re.Match[str]) -> str:
        text = values[int(found[1])] if found[1] else next(turn)
        return chinese(text) if found[2] else text

    return _VALUE.sub(value, chinese_pattern)


@cache
def _entries() -> dict[str, str]:
    text = resources.files("hornbook.core").joinpath("chinese.json").read_text(encoding="utf-8")
    entries: dict[str, str] = json.loads(text)
    return entries


@cache
def _exact() -> dict[str, str]:
    return {english: other for english, other in _entries().items() if "{}" not in english}


@cache
def _patterns() -> list[_Pattern]:
    """Those with values, in the order in which they are tried.

    First those that begin with words of their own, as what begins with a value may be a part of
    them ("4. Done: {}", "{} bits per byte"); of each, the one that says most: it fits best.
    """
    found = [
        _Pattern(
            english[: english.index("{}")], english[english.rindex("{}") + 2 :], english, other
        )
        for english, other in _entries().items()
        if "{}" in english
    ]
    return sorted(
        found, key=lambda pattern: (not pattern.start, -len(pattern.english.replace("{}", "")))
    )
