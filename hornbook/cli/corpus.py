"""`hornbook corpus`: build a corpus, look at one, ask about its documents."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.corpus_review import review
from hornbook.cli.corpus_train import train
from hornbook.cli.options import Json

app = typer.Typer(
    no_args_is_help=True, help="Turn raw files into a corpus that balances its books."
)

Folder = Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")]


@app.command("build")
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, URLs (s3://, hf://datasets/, https://), or python-docs."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new corpus.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Rules for what is kept: a YAML file, or web (rules for web "
            "pages, near duplicates, personal data)."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Set a value of the recipe.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="An evaluation file: documents that contain its items are dropped. The "
            "files in evaluations/ of Hornbook's own folder always count."
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Documents with equal values in this field all go to training, "
            "or all to validation."
        ),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.2,
            help="Share of the text, in bytes, that is held out for validation. By default 0.05.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Stop at the first record that cannot be read, instead of listing it."
        ),
    ] = False,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            help="Count tokens with this tokenizer (a folder, model or GGUF "
            "file) instead of training one."
        ),
    ] = None,
    vocab_size: Annotated[
        int, typer.Option(help="Largest vocabulary of the new tokenizer, in tokens.")
    ] = 16_384,
    runner: Annotated[
        str, typer.Option(help="local (the processors of this machine) or ray (a Ray cluster).")
    ] = "local",
    json: Json = False,
) -> None:
    """Read documents, filter them by the recipe, hold out a part, and write a data card."""
    from hornbook.cli.output import print_json
    from hornbook.core.pool import runner_of
    from hornbook.core.progress import Progress
    from hornbook.corpus.recipe import recipe_of
    from hornbook.workflows.curate.corpus import make_corpus

    started = time.perf_counter()
    asked = {"group": group, "validation_share": validation_share, "strict": strict or None}
    options = [f"{key}={value}" for key, value in asked.items() if value is not None]
    settled = recipe_of(recipe, [*(set_ or []), *options])
    if against:
        settled = settled.model_copy(update={"against": (*settled.against, *against)})
    where = runner_of(runner)
    corpus = make_corpus(sources, out, settled, where, Progress(), tokenizer, vocab_size)
    found = {unit: corpus.facts[unit] for unit in ("documents", "bytes", "tokens")}
    seconds = round(time.perf_counter() - started, 3)
    print_json({**found, "seconds": seconds, "card": str(out / "card.html")}, json)


@app.command("report")
def report(folder: Folder, json: Json = False) -> None:
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
    folder: Folder,
    id: Annotated[str, typer.Argument(help="The document's id, as in the corpus and its lists.")],
    json: Json = False,
) -> None:
    """Follow one document to its place, side and tokens, or to the reason why it was dropped."""
    from hornbook.workflows.curate.corpus import trace

    _print(trace(folder, id), json)


@app.command("forget")
def forget(
    folder: Folder,
    id: Annotated[str, typer.Argument(help="The document's id, as `corpus trace` takes it.")],
    json: Json = False,
) -> None:
    """Take a document out of the corpus for good, and name the models that were trained on it."""
    from hornbook.workflows.curate.corpus import forget

    _print(forget(folder, id), json)


app.command("review")(review)
app.command("train")(train)


def _print(found: dict[str, Any], json: bool) -> None:
    from hornbook.cli.output import print_json

    if json:
        print_json(found, True)
        return
    for name, value in found.items():
        shown = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
        print(f"{name}: {'' if shown is None else shown}")
