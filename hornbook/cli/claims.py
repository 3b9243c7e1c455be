"""`hornbook claims`: what is said of language models, tried here, each with a verdict."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    out: Annotated[
        Path, typer.Option(help="Folder for all results; what is finished there is not done again.")
    ] = Path("runs/claims"),
    only: Annotated[
        list[str] | None, typer.Option(help="Try only this claim; --list names them all.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Minutes for all of it; more make trials larger and more of them.")
    ] = 20.0,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of data sets. By default what every machine has: Python's documentation, "
            "digits, synthetic pairs."
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the claims, and stop.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first trial of each claim.")] = 0,
    json: options.Json = False,
) -> None:
    """Try what is said of language models: an experiment, an interval and a verdict for each."""
    began = time.monotonic()
    from hornbook.cli.output import print_json, show
    from hornbook.core.progress import Progress

    if list_:
        from hornbook.workflows.claims.said import spoken_of
        from hornbook.workflows.claims.statement import statements

        for one in statements():
            print(f"{one.name}: {spoken_of(one.sentence)}")
        return
    progress = Progress()
    progress.doing("loading libraries")
    from hornbook.workflows.claims.chapter import ClaimsConfig, claims, lines_of

    config = ClaimsConfig(tuple(only or ()), minutes, data, seed)
    result = claims(config, out, progress, began)
    for line in [] if json else lines_of(result):
        show(line)
    print_json(result, json)
