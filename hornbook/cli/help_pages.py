"""Help pages and usage errors in the language that is spoken (`core.language`).

The command line's library writes English headings and breaks lines at spaces; Chinese has none and
takes two columns a character. Knows how a page is set; knows nothing of the commands.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from hornbook.core.language import spoken, told

_NOTE = re.compile(r"(?P<text>.*?)(?P<note>  \[[^\]]*\])?", re.DOTALL)
"""An option's help, and what the library puts after it: its default, whether it is required."""
_UNBROKEN = re.compile(
    r"\s+|[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef][、。，；：！？）」』”]*|[^\s\u3000-\uffef]+"
)
"""Pieces that a line is broken between: a Chinese character with the stop after it, or a word."""
_FIRST_COLUMN, _GAP = 30, 2


def in_our_language(command: Any) -> Any:
    """The same command (and those below it), its pages set as this module says."""
    context = command.context_class
    formatter = type("Formatter", (_Pages, context.formatter_class), {})
    command.context_class = type("Context", (context,), {"formatter_class": formatter})
    if command.help and not command.short_help:
        command.short_help = command.help.split("\n\n")[0].split(". ")[0].replace("\n", " ")
    for below in getattr(command, "commands", {}).values():
        in_our_language(below)
    return command


class _Pages:
    """Over the library's formatter: English is left to it, anything else is set here."""

    width: int
    current_indent: int

    def write_heading(self, heading: str) -> None:
        super().write_heading(told(heading))  # type: ignore[misc]

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, told(prefix or "Usage: "))  # type: ignore[misc]

    def write_text(self, text: str) -> None:
        if spoken() == "en":
            super().write_text(text)  # type: ignore[misc]
            return
        indent = " " * self.current_indent
        for paragraph in text.split("\n\n"):
            for line in lines(help_text(paragraph), self.width - self.current_indent):
                self.write(f"{indent}{line}\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = _FIRST_COLUMN, col_spacing: int = _GAP
    ) -> None:
        if spoken() == "en":
            super().write_dl(rows, col_max, col_spacing)  # type: ignore[misc]
            return
        rows = list(rows)
        first = min(max(columns(name) for name, _ in rows), col_max) + col_spacing
        for name, text in rows:
            gap = first - columns(name)
            self.write(" " * self.current_indent + name)
            start = " " * gap if gap >= col_spacing else "\n" + " " * (first + self.current_indent)
            below = "\n" + " " * (first + self.current_indent)
            width = max(self.width - first - self.current_indent, 10)
            self.write(start + below.join(lines(help_text(text), width)) + "\n")

    def write(self, string: str) -> None:
        super().write(string)  # type: ignore[misc]


def help_text(text: str) -> str:
    """A help text in the language that is spoken, with what the library says of the option."""
    found = _NOTE.fullmatch(text)
    assert found is not None, "every part of the pattern may be empty"
    note = found["note"] or ""
    for word in ("required", "default"):
        note = note.replace(word, told(word))
    return told(" ".join(found["text"].split())) + note


def lines(text: str, width: int) -> Iterator[str]:
    """The text broken into lines of at most `width` columns, longer words on lines of their own."""
    line = ""
    for piece in _UNBROKEN.findall(text):
        if line and columns(line + piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece if line else piece.lstrip()
    yield line.rstrip()


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: full-width characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
