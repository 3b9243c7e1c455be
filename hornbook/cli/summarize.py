"""`hornbook summarize`: a long text in a few sentences, beside its own first ones."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    file: Annotated[
        Path | None,
        typer.Argument(help="A file to summarise. Without one, or with -, standard input."),
    ] = None,
    lead: Annotated[
        int, typer.Option(help="Number of first sentences of the text to print for comparison.")
    ] = 3,
    max_tokens: Annotated[int, typer.Option(help="Longest summary, in tokens.")] = 160,
    prompt: Annotated[
        str | None, typer.Option(help="The prompt; {text} in it stands for the text.")
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(
            help="Tokens of the text that are read at once. By default half of the context."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Summarise a text, in parts if it is long; its first sentences are printed for comparison."""
    from hornbook.cli.input import text_of
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.use.summarize import SummarizeConfig, summarize

    config = SummarizeConfig.parse(
        {
            "lead": lead,
            "max_tokens": max_tokens,
            "prompt": prompt,
            "part": part,
            "device": device,
        },
        "summarize",
    )
    found = summarize(model, text_of(file), config, Progress())
    if not json:
        print(found["summary"])
        print(f"\nThe first {lead} sentences, to compare:\n{found['lead']}")
    print_json(found, json)
