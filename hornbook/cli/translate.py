"""`hornbook translate`: texts into another language."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    text: Annotated[
        list[str] | None, typer.Option(help="A sentence; may be given several times.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A sentence a line, or .csv, .tsv, .jsonl, .json, .parquet; - or nothing is stdin."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Where a table has its sentences; found by its name if usual."),
    ] = None,
    beam: Annotated[int, typer.Option(help="Translations kept while searching; 1 is greedy.")] = 4,
    length_penalty: Annotated[
        float, typer.Option(help="Above 0 favours longer translations, below 0 shorter ones.")
    ] = 1.0,
    max_tokens: Annotated[
        int | None, typer.Option(help="At most so many tokens a sentence.")
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Translate sentences, a line for each; the model must be a translator."""
    from hornbook.cli.output import print_json
    from hornbook.workflows.open.load import load
    from hornbook.workflows.open.translator import SearchOptions, Translator, search_config

    search: SearchOptions = {
        "beam": beam, "length_penalty": length_penalty, "max_tokens": max_tokens,
    }  # fmt: skip
    search_config(search)
    opened = load(model, Translator, device=device)
    sentences = [" ".join(text.split("\n")) for text in _sentences(text, file, column)]
    started = time.perf_counter()
    found = opened.translations(sentences, **search)
    seconds = time.perf_counter() - started
    if not json:
        for translation in found:
            print(translation.text)
    rows = [
        {"source": sentence, **translation._asdict()}
        for sentence, translation in zip(sentences, found, strict=True)
    ]
    tokens = sum(len(translation.token_ids) for translation in found)
    print_json({"translations": rows, "tokens_per_second": tokens / seconds}, json)


_USUAL = ("source", "src", "input")


def _sentences(text: list[str] | None, file: Path | None, column: str | None) -> list[str]:
    """A text each from --text, else the lines or rows of the file, or lines of standard input."""
    from hornbook.cli.input import lines
    from hornbook.cli.output import note
    from hornbook.core.errors import UsageError
    from hornbook.datasets.columns import texts_of
    from hornbook.read.formats.header import TEXT_NAMES

    if text and file:
        raise UsageError("Give either --text or --file, not both.")
    if text:
        return text
    if file is None or str(file) == "-":
        if column is not None:
            raise UsageError("--column goes with --file; standard input is a sentence a line.")
        return list(lines())
    found = []
    for item in texts_of(file, column, (*_USUAL, *TEXT_NAMES)):
        if isinstance(item, str):
            found.append(item)
        else:
            note(f"left out: {item}")
    return found
