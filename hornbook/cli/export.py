"""`hornbook export`: write a model for other programs, with a certificate of parity."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    to: Annotated[
        str,
        typer.Option(help="hf (a Hugging Face folder), gguf (a file), or peft (a run's adapter)."),
    ],
    out: Annotated[Path, typer.Option(help="The folder or file to write.")],
    type_: Annotated[
        str | None, typer.Option("--type", help="Of a GGUF file: f32, f16, q8_0 or q4_0.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(help="Measure bits per byte on this; on Python's documentation if none."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a model for other programs, open it again and certify how near it is."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.export import export

    print_json(export(model, to, type_, out, text, Progress()), json)
