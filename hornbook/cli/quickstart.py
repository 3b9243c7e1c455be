"""`hornbook quickstart`: from text to a trained, measured, talking model and a report."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import DryRun, Json, Set


def command(
    text: Annotated[
        list[Path] | None,
        typer.Option(help="A file or folder to learn from. By default Python's own documentation."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Minutes for the whole command, from reading to the report.")
    ] = 5.0,
    out: Annotated[Path, typer.Option(help="Folder for all results.")] = Path("runs/quickstart"),
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**63 - 1, help="Seed of the initial weights and of the order of the data."
        ),
    ] = 0,
    set_: Set = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a small model on text, measure it beside baselines, tune it to answer, report."""
    began = time.monotonic()
    from hornbook.cli.output import print_json
    from hornbook.core.config import read_recipe
    from hornbook.core.progress import Progress
    from hornbook.workflows.quickstart import foretell_quickstart, quickstart

    do = foretell_quickstart if dry_run else quickstart
    values = {**read_recipe(None, set_ or ()), "seed": seed}
    print_json(do(text or [], minutes, out, values, Progress(), began), json)
