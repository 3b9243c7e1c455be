"""Commands as forms: what each is told by its fields, and the command line that they make.

Which commands there are the command line itself says (see `StudioConfig.commands`), so a form has
the options that its command has.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.read.locations import is_local
from hornbook.serve.studio.forms import number_of
from hornbook.serve.studio.jobs import checked_name

REPORT_OPTION = "html"
"""Writes the page of a result: it is always asked for where a command can."""
_WRITTEN = ("out", "make_questions")
"""Options that name what is written: a name in the work folder."""
_FROM_AFAR = ("pull",)
"""Commands that may be told an address of another machine."""
_LARGEST = 2.0**63


class FormOption(NamedTuple):
    """An argument or option. flag: "--task", "" of an argument; off: what says no, "" if nothing.
    help, group: as the help page says them. value: the word for what it takes. kind: "text",
    "number", "whole", "place" or "yes". several: it is given once for each line of the field.
    default: as text, "" where the command decides. least, most: of numbers.
    """

    name: str
    flag: str
    help: str
    group: str
    value: str = ""
    kind: str = "text"
    off: str = ""
    several: bool = False
    required: bool = False
    default: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def is_written(self) -> bool:
        """Whether it names what is written."""
        return self.name in _WRITTEN

    def words(self, text: str, work: Path, afar: bool = False) -> list[str]:
        """Its part of a command line. Raises UsageError for what it cannot be."""
        if not text:
            if self.required:
                raise UsageError(f"{self.flag or self.name.upper()} is missing.")
            return []
        if self.kind == "yes":
            return [self.flag if text == "yes" else self.off] if text == "yes" or self.off else []
        given = list(filter(None, map(str.strip, text.split("\n")))) if self.several else [text]
        values = [self._value(each, work, afar) for each in given]
        return [f"{self.flag}={value}" for value in values] if self.flag else values

    def _value(self, text: str, work: Path, afar: bool) -> str:
        if self.is_written:
            return str(_there(text, work) or (work / checked_name(text)).absolute())
        if self.kind in ("number", "whole"):
            least = -_LARGEST if self.least is None else self.least
            number = number_of(text, least, _LARGEST if self.most is None else self.most)
            if self.kind == "whole" and not number.is_integer():
                raise UsageError(f"{text[:40]!r} is no whole number.")
            return text.strip()
        return text if afar or self.kind != "place" else _place(text, work)


def _place(text: str, work: Path) -> str:
    """A path, a place in the work folder, or a name that the command knows."""
    if not is_local(text):
        raise UsageError(f"{text[:200]} is no path on this machine.")
    path = Path(text).expanduser()
    return str(path) if path.is_absolute() else str(_there(text, work) or text)


def _there(text: str, work: Path) -> Path | None:
    """What is at a place in the work folder; None where there is nothing."""
    place = work / text
    try:
        inside = place.resolve().is_relative_to(work.resolve()) and place != work
        return place.absolute() if inside and place.exists() else None
    except (OSError, ValueError):  # too long a name, or none
        return None


class CommandForm(NamedTuple):
    """A command. words: those that it is called by. summary, group: as the help page has them.
    answers: it has `--json`. kept: it is begun here by its form; others have a page of their own.
    """

    words: tuple[str, ...]
    summary: str
    group: str
    options: tuple[FormOption, ...]
    answers: bool = True
    begun: bool = True

    @property
    def name(self) -> str:
        """In addresses."""
        return "-".join(self.words)

    @property
    def first(self) -> list[FormOption]:
        """What is asked for at once: what it must be told, and what is written."""
        return [one for one in self.shown if one.required or not one.flag or one.is_written]

    @property
    def more(self) -> dict[str, list[FormOption]]:
        """The rest by groups."""
        found: dict[str, list[FormOption]] = {}
        for one in self.shown:
            if one not in self.first:
                found.setdefault(one.group, []).append(one)
        return found

    @property
    def shown(self) -> list[FormOption]:
        """What has a field."""
        return [one for one in self.options if one.name != REPORT_OPTION]

    def command(self, form: Mapping[str, str], work: Path, page: Path) -> list[str]:
        """The command line of a filled form. page: where its page is to be written.

        Raises UsageError for a field that is missing or wrong.
        """
        afar = self.words[0] in _FROM_AFAR
        options: list[str] = []
        arguments: list[str] = []
        for one in self.shown:
            try:
                words = one.words(form.get(one.name, ""), work, afar)
            except HornbookError as error:
                raise UsageError(f"{one.flag or one.name.upper()}: {error}") from None
            (options if one.flag else arguments).extend(words)
        written = [f"--{REPORT_OPTION}={page}"] if len(self.shown) < len(self.options) else []
        own = [*written, *(["--json"] if self.answers else [])]
        return [*self.words, *options, *own, *(["--", *arguments] if arguments else [])]


def find_form(forms: Sequence[CommandForm], name: str) -> CommandForm | None:
    """The one of a name that is begun by a form."""
    return next((one for one in forms if one.name == name and one.begun), None)
