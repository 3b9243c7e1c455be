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
            "--type",
            help="How a GGUF file stores its weights: f32, bf16, f16, q8_0, q6_k, q5_k_m, q4_k_m, "
            "q3_k_m, q2_k and others of llama.cpp's names. By default f16.",
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="Text on which both models are compared, in bits per byte. By "
            "default Python's documentation."
        ),
    ] = None,
    importance: Annotated[
        str | None,
        typer.Option(
            help="Text like that which the model will meet: its weights that matter for it get the "
            "smallest errors. A file or folder, a built corpus, 'corpus' for that of a run, or an "
            "importance matrix of llama.cpp (.gguf). With a quantised --type."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a model for other programs, open it again, and certify how close the two are."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.export import export

    print_json(export(model, to, type_, out, text, Progress(), importance), json)
