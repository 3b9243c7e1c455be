"""`hornbook quickstart`: from text to a trained, measured, talking model and a report."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json


def command(
    text: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders to learn from; Python's own documentation if none."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Of the whole work, from reading to the report.")
    ] = 5.0,
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of weights and order.")] = 0,
    json: Json = False,
) -> None:
    """Read text, train a model on it, measure it beside floors, teach it to answer, report."""
    began = time.monotonic()
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.quickstart import quickstart

    print_json(quickstart(text or [], minutes, out, seed, Progress(), began), json)
