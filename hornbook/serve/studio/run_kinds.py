"""The kinds of run that are begun here: what each is told by its form, as a command.

What a form leaves empty the command decides, with its own reasons.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError, unknown
from hornbook.datasets.tables import FORMATS
from hornbook.read.sources import format_of
from hornbook.serve.studio.understanding import checked_sources

SET = "set."
"""What the names of fields begin with that set a value of the recipe."""
_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)*")
_SIDES = {
    "pairs": ("train",),
    "validation": ("valid", "val", "dev"),
    "test": ("test",),
}
"""Of pairs: the option for each side, and what the names of its files hold."""


class RunForm(NamedTuple):
    """fields: what was filled in. models: what may be tuned, by the names that are offered."""

    fields: Mapping[str, str]
    models: Mapping[str, str]

    @property
    def sources(self) -> list[str]:
        """Files and folders. Raises UsageError as `checked_sources` does."""
        return checked_sources(self.fields.get("paths", ""))

    def get(self, name: str) -> str | None:
        """A field, None where nothing was filled in."""
        return self.fields.get(name) or None

    def options(self, *names: str) -> list[str]:
        """The command's options of that name, those that were filled in."""
        found = {name: self.get(name) for name in names}
        return [f"--{name.replace('_', '-')}={value}" for name, value in found.items() if value]

    def sets(self) -> list[str]:
        """Values of the recipe. Raises UsageError for what is no key."""
        found = []
        for name, value in self.fields.items():
            key = name.removeprefix(SET)
            if key != name and value:
                if not _KEY.fullmatch(key):
                    raise UsageError(f"{key[:80]!r} is no key of a recipe.")
                found.append(f"--set={key}={value}")
        return found

    def model(self) -> str:
        """What is tuned. Raises UsageError for what was not offered."""
        name = self.fields.get("model", "")
        if name not in self.models:
            raise unknown("model", name[:80], self.models)
        return self.models[name]

    def files(self, suffixes: Sequence[str] = ()) -> list[Path]:
        """The files of the sources, those in folders too. suffixes: alone that count, if any.

        Raises UsageError where there is none.
        """
        found = [file for source in map(Path, self.sources) for file in _files(source)]
        wanted = [file for file in found if not suffixes or format_of(file) in suffixes]
        if not wanted and found:
            raise UsageError(f"{found[0].name} is no table: read are {', '.join(suffixes)}.")
        if not wanted:
            raise UsageError(f"There is no file in {', '.join(self.sources)}.")
        return wanted


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for path in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if path.is_file() and not hidden:
            yield path


def _text(form: RunForm) -> list[str]:
    texts = [f"--text={source}" for source in form.sources]
    return ["quickstart", *texts, *form.options("minutes")]


def table_of(form: RunForm) -> Path:
    """The one table of labelled texts. Raises UsageError for several."""
    files = form.files(FORMATS)
    if len(files) > 1:
        raise UsageError(f"Give one table, not {len(files):,}: {files[0].name}, {files[1].name}.")
    return files[0]


def _labels(form: RunForm) -> list[str]:
    options = form.options("minutes", "method", "text_column", "label_column", "class_weights")
    data = f"--data={table_of(form)}"
    return ["finetune", "--task=classify", data, *options, "--", form.model()]


def sides_of(form: RunForm) -> dict[str, list[Path]]:
    """The files to learn from, to validate on and to test on, by their names.

    Raises UsageError for a file whose name tells no side, and for a side without files.
    """
    found: dict[str, list[Path]] = {side: [] for side in _SIDES}
    for file in form.files():
        sides = [
            side for side, words in _SIDES.items() if any(w in file.name.lower() for w in words)
        ]
        if len(sides) != 1:
            raise UsageError(
                f"{file.name}: the name of a file of pairs says whether it is to train, validate "
                "or test on, as train.tsv, validation.tsv and test.tsv do."
            )
        found[sides[0]].append(file)
    for side, files in found.items():
        if len(files) not in (1, 2):
            name = _SIDES[side][0]
            raise UsageError(
                f"{len(files)} files are called {name}: pairs come in one table or two aligned "
                "files for each of train, validation and test."
            )
    return found


def _pairs(form: RunForm) -> list[str]:
    sides = sides_of(form)
    files = [f"--{side}={file}" for side, some in sides.items() for file in some]
    return ["pretrain", *files, *form.options("family", "minutes")]


def _answers(form: RunForm) -> list[str]:
    data = [f"--data={file}" for file in form.files()]
    options = form.options("task", "method", "minutes", "prompt")
    return ["finetune", *data, *options, "--", form.model()]


def _images(form: RunForm) -> list[str]:
    sources = form.sources
    if len(sources) > 1:
        raise UsageError(f"Give one folder of images, not {len(sources):,}.")
    return ["pretrain", f"--images={sources[0]}", *form.options("minutes")]


class RunKind(NamedTuple):
    """command: of a form. least: minutes. tunes: abilities of models of which one is tuned."""

    command: Callable[[RunForm], list[str]]
    least: float = 0.1
    tunes: tuple[str, ...] = ()


KINDS = {
    "text": RunKind(_text, 0.5),
    "labels": RunKind(_labels, tunes=("generate", "embed")),
    "answers": RunKind(_answers, tunes=("generate",)),
    "pairs": RunKind(_pairs),
    "images": RunKind(_images),
}


def command_of(kind: str, form: RunForm, out: Path, *more: str) -> list[str]:
    """What begins a run of a form in `out`. more: options beside those of the form.

    Raises UsageError for what cannot be.
    """
    from hornbook.workflows.runs.recipe import check_minutes  # it takes torch

    try:
        minutes = float(form.fields.get("minutes", ""))
    except ValueError:
        raise UsageError("Minutes are a number.") from None
    check_minutes(minutes, KINDS[kind].least)
    command = KINDS[kind].command(form)
    own = [f"--out={out}", *form.sets(), *more]
    place = command.index("--") if "--" in command else len(command)
    return [*command[:place], *own, *command[place:]]
