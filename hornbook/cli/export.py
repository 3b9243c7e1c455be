"""`hornbook export`: write a model for other programs, with a certificate of parity."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    to: Annotated[
        str,
        typer.Option(
            help="hf (a Hugging Face folder), gguf (a file) or peft (the adapter of a run)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder or file to write.")],
    type_: Annotated[
        str | None,
        typer.Option(
            "--type", help="Number type of a GGUF file: f32, f16, q8_0 or q4_0. By default f16."
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="Text on which both models are compared, in bits per byte. By "
            "default Python's documentation."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a model for other programs, open it again, and certify how close the two are."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.export import export

    print_json(export(model, to, type_, out, text, Progress()), json)
