"""`hornbook pull`: fetch a small open model, checked, to use by its name."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json


def command(
    name: Annotated[
        str,
        typer.Argument(help="smollm2-135m-instruct, all-minilm-l6-v2 or multilingual-e5-small."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to store the model in. By default "
            "Hornbook's own, where it is found by its name."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch a small open model; every file is checked by its hash."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.pull import pull

    print_json(pull(name, out, Progress()), json)
