"""`hornbook summarize`: a long text in a few sentences, beside its own first ones."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    file: Annotated[
        Path | None, typer.Argument(help="What to summarise; - or nothing is stdin.")
    ] = None,
    lead: Annotated[int, typer.Option(help="Sentences of the text's beginning beside it.")] = 3,
    max_tokens: Annotated[int, typer.Option(help="At most so many tokens a summary.")] = 160,
    prompt: Annotated[str | None, typer.Option(help="What is asked, with {text} in it.")] = None,
    part: Annotated[int | None, typer.Option(help="Tokens of text read at once.")] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Summarise a text, by parts if it is long; its first sentences are printed beside."""
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
    found = summarize(model, _text(file), config, Progress())
    if not json:
        print(found["summary"])
        print(f"\nThe first {lead} sentences, to compare:\n{found['lead']}")
    print_json(found, json)


def _text(file: Path | None) -> str:
    """All text of a file in any format that a corpus is built from, or of standard input."""
    from hornbook.cli.input import read_all
    from hornbook.core.errors import UsageError

    if file is None or str(file) == "-":
        return read_all()
    from hornbook.read.documents import Document
    from hornbook.read.sources import read_file

    if not file.is_file():
        raise UsageError(f"{file} {'is no file' if file.exists() else 'does not exist'}.")
    texts = []
    for item in read_file(file):
        if not isinstance(item, Document):
            raise UsageError(f"{item.file}: {item.reason} ({item.detail}).")
        texts.append(item.text)
    return "\n\n".join(texts)
