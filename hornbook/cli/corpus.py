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
    recipe: Annotated[
        str | None,
        typer.Option(help="A YAML file, or web: rules, near duplicates and personal data."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, over the recipe's.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Documents with equal values of this field stay on one side."),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.2, help="Share of the bytes held out to measure on; 0.05."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first record that cannot be read.")
    ] = False,
    json: Json = False,
) -> None:
    """Read documents, keep what the recipe keeps, hold out a part, and write a data card."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.corpus.build import build
    from hornbook.corpus.recipe import recipe_of

    started = time.perf_counter()
    asked = {"group": group, "validation_share": validation_share, "strict": strict or None}
    options = [f"{key}={value}" for key, value in asked.items() if value is not None]
    facts = build(sources, out, recipe_of(recipe, [*(set_ or []), *options]), Progress()).facts
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
    from hornbook.corpus.corpus import Corpus

    corpus = Corpus.open(folder)
    if json:
        print_json(corpus.facts, True)
    else:
        print((folder / "card.md").read_text(encoding="utf-8"), end="")


@app.command("trace")
def trace(
    folder: Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")],
    id: Annotated[str, typer.Argument(help="The document's id, as the corpus and its lists have.")],
    json: Json = False,
) -> None:
    """Follow one document to its place and side, or to the reason why it was dropped."""
    from hornbook.cli.output import print_json
    from hornbook.corpus.trace import trace_document

    found = trace_document(folder, id)
    if json:
        print_json(found, True)
    else:
        for name, value in found.items():
            print(f"{name}: {'' if value is None else value}")
