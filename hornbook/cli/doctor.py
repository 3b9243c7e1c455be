"""`hornbook doctor`: what would go wrong in silence, looked for before the long work starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli.option_groups import TrainedOn, spread
from hornbook.cli.options import Json

if TYPE_CHECKING:
    from hornbook.workflows.doctor.examine import Examined

_MARKS = {"ok": "ok", "warning": "warning", "fault": "FAULT"}


@spread
def command(
    target: Annotated[
        Path | None,
        typer.Argument(help="A run folder, a recipe (.yaml) or a model. Without it, this machine."),
    ] = None,
    on: TrainedOn = TrainedOn(),
    drill: Annotated[
        bool,
        typer.Option(
            "--drill",
            help="Break what may break on made-up material, and see what is lost; some minutes.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Look at a run, a recipe, a model or this machine for what would go wrong in silence.

    Each check says what it found and what to do. The exit code is 1 where there is a fault.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress
    from hornbook.workflows.doctor.examine import drilled, examine

    if drill:
        if target is not None or on.given:
            raise UsageError("--drill is about made-up material: leave everything else out.")
        found = drilled(Progress())
    else:
        what = on.meant(target)
        found = examine(what.target, what.project, what.values, Progress(quiet=json))
    if not json:
        _show(found)
    print_json(found.plain(target), json)
    if found.count("fault"):
        raise typer.Exit(1)


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
