"""`hornbook translate`: texts into another language."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    text: Annotated[list[str] | None, typer.Option(help="A sentence to translate.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A file of sentences: one a line, or .csv, .tsv, .jsonl, .json or "
            ".parquet. Without one, or with -, standard input."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Column of the sentences. Common names are found by themselves."),
    ] = None,
    beam: Annotated[
        int,
        typer.Option(help="Number of translations kept during beam search; 1 is greedy search."),
    ] = 4,
    length_penalty: Annotated[
        float, typer.Option(help="Values above 0 favour longer translations, below 0 shorter ones.")
    ] = 1.0,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            help="Longest translation of a sentence, in tokens. By "
            "default twice the sentence and 10 more."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="The task of a model that knows several, by its name in the model's folder: "
            "summarization, translation_en_to_de and so on."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Translate sentences, one a line, with a model that was trained on pairs."""
    from hornbook.cli.output import print_json
    from hornbook.workflows.open.load import load
    from hornbook.workflows.open.translator import SearchOptions, Translator, search_config

    search: SearchOptions = {
        "beam": beam, "length_penalty": length_penalty, "max_tokens": max_tokens,
        "prompt": prompt,
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
