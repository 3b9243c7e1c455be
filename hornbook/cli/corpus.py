"""`hornbook corpus`: build a corpus, look at one."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json

app = typer.Typer(
    no_args_is_help=True, help="Turn raw files into a corpus that balances its books."
)


@app.command("build")
def build(
    sources: Annotated[
        list[str], typer.Argument(help="Files and folders, or python-docs for Python's own.")
    ],
    out: Annotated[Path, typer.Option(help="The corpus' folder.")],
    validation_share: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Share of the bytes held out to measure on.")
    ] = 0.05,
    json: Json = False,
) -> None:
    """Read documents, drop exact duplicates, hold out a part, and write a data card."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.corpus.build import BuildConfig, build

    started = time.perf_counter()
    config = BuildConfig(validation_share=validation_share)
    facts = build(sources, out, config, Progress()).facts
    seconds = round(time.perf_counter() - started, 3)
    found = {"documents": facts["documents"], "bytes": facts["bytes"], "seconds": seconds}
    print_json(found, json)


@app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")],
    json: Json = False,
) -> None:
    """Print the data card."""
    from hornbook.cli.output import print_json
    from hornbook.corpus.build import Corpus

    corpus = Corpus.open(folder)
    if json:
        print_json(corpus.facts, True)
    else:
        print((folder / "card.md").read_text(encoding="utf-8"), end="")
