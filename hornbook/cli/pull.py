"""`hornbook pull`: fetch a small open model, checked, to use by its name."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="A name of docs/models.md, such as qwen3-0.6b or multilingual-e5-small, or any "
            "model of the Hugging Face hub: hf://OWNER/NAME, with @REVISION and /FILE.gguf behind "
            "it if wanted."
        ),
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
    """Fetch an open model; its licence is shown before, and every file checked by its hash."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.pull import pull

    print_json(pull(name, out, Progress()), json)
