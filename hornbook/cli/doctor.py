"""`hornbook doctor`: what would go wrong in silence, looked for before the long work starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Json
from hornbook.cli.training_data import PretrainingData, pretraining, tuning

if TYPE_CHECKING:
    from hornbook.workflows.doctor.examine import Examined

_MARKS = {"ok": "ok", "warning": "warning", "fault": "FAULT"}


def command(
    target: Annotated[
        Path | None,
        typer.Argument(help="A run folder, a recipe (.yaml) or a model. Without it, this machine."),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="The corpus that a recipe is to be trained on.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="The pairs that a recipe is to be trained on.")
    ] = None,
    validation: Annotated[
        list[Path] | None, typer.Option(help="Pairs for validation, given as --pairs is.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Pairs on which BLEU is measured, given as --pairs is."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The labelled images that a recipe is to be trained on.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="A file of rows that the model is to be tuned on.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="What the model is to learn of --data, as for `hornbook finetune`.")
    ] = "instruct",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Set a value of the recipe.")
    ] = None,
    json: Json = False,
) -> None:
    """Look at a run, a recipe, a model or this machine for what would go wrong in silence.

    Each check says what it found and what to do. The exit code is 1 where there is a fault.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.doctor.examine import examine

    where, values, project = target, dict[str, Any](), None
    given = PretrainingData(corpus, pairs, validation, test, images)
    if data:
        where, values, project = _tuned(target, data, task, set_)
    elif given.given:
        values = _values(target, set_)
        project = pretraining(given, values, {})
    found = examine(where, project, values, Progress(quiet=json))
    if not json:
        _show(found)
    print_json(found.plain(target), json)
    if found.count("fault"):
        raise typer.Exit(1)


def _values(recipe: Path | None, overrides: list[str] | None) -> dict[str, Any]:
    """Of a recipe, as `hornbook pretrain --recipe` reads it."""
    from hornbook.core.config import read_recipe

    return read_recipe(recipe, overrides or ())


def _tuned(
    model: Path | None, data: list[Path], task: str, overrides: list[str] | None
) -> tuple[None, dict[str, Any], Any]:
    from hornbook.core.errors import UsageError

    if model is None:
        raise UsageError("Say what is to be tuned: hornbook doctor MODEL --data FILE.")
    values = _values(None, overrides)
    if task != "classify":
        values["task"] = task
    return None, values, tuning(str(model), data, task)


def _show(found: "Examined") -> None:
    """A table: a mark, what was looked at, what was found; below each what to do."""
    from hornbook.cli.output import show
    from hornbook.core.language import told

    beside: list[str] = []
    for check, finding, _ in found.checks:
        if finding.status == "not applicable":
            beside.append(f"         {told(check.title)}: {told(finding.found)}")
            continue
        show(f"{told(_MARKS[finding.status]):<8} {told(check.title)}: {told(finding.found)}")
        if finding.advice:
            show(f"         {told(finding.advice)}")
    if beside:
        show("Not applicable:")
        for line in beside:
            print(line)
    faults, warnings = found.count("fault"), found.count("warning")
    show(f"{faults} faults, {warnings} warnings, {found.seconds:.0f} s.")
