"""Help pages and usage errors: options in groups, in the language that is spoken.

The command line's library writes all options below one another, the types of Python for their
values, English headings, and breaks lines at spaces; Chinese has none and takes two columns a
character.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from types import MethodType
from typing import Any

from hornbook.cli.help_groups import COMMANDS, GROUPS, group_of, value_of
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
    command.format_options = MethodType(_format_options, command)
    _name_values(command)
    if command.help and not command.short_help:
        command.short_help = command.help.split("\n\n")[0].replace("\n", " ")
    for below in getattr(command, "commands", {}).values():
        in_our_language(below)
    return command


def _name_values(command: Any) -> None:
    """Plain words for what stands behind options, in place of the types of Python."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.name.upper()
        elif not parameter.is_flag:
            kind = parameter.bare_type().removeprefix("list[").removesuffix("]")
            parameter.metavar = value_of(parameter.name, kind)


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    """The commands below a command by their groups, its arguments, its options by theirs."""
    below = dict(getattr(command, "commands", {}))
    sections = {
        group: [(name, below.pop(name).short_help) for name in names.split() if name in below]
        for group, names in COMMANDS.items()
    }
    sections["Commands"] = [(name, one.short_help) for name, one in below.items()]
    options = dict[str, list[tuple[str, str]]]((group, []) for group in GROUPS)
    for parameter in command.get_params(ctx):
        name, text = parameter.get_help_record(ctx)
        if parameter.param_type_name == "argument":
            options["Arguments"].append((parameter.metavar, text))
            continue
        options[group_of(parameter.name, command.name)].append((name, _noted(parameter, text)))
    for heading, rows in [*sections.items(), *options.items()]:
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


def _noted(parameter: Any, text: str) -> str:
    """An option's help with the notes behind it in words: its range, and whether it repeats."""
    low, high = parameter.min, parameter.max
    if low is not None or high is not None:
        bounded = high is not None and high < 2**63 - 1
        words = f"{low} to {high}" if bounded else f"at least {low}"
        text = re.sub(r"[^ \[]{0,24}x[<>]=[^\];]*", words, text)
    if not parameter.multiple:
        return text
    return text[:-1] + "; repeatable]" if text.endswith("]") else text + "  [repeatable]"


class _Pages:
    """Over the library's formatter: English is left to it, anything else is set here."""

    width: int
    current_indent: int

    def write_heading(self, heading: str) -> None:
        super().write_heading(told(heading))  # type: ignore[misc]

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        args = re.sub(r"\{(\w+)\}", r"\1", args)  # the library's braces around what is required
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
    for word in ("required", "default", "repeatable", "at least"):
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
