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
        Path | None, typer.Option(help="A file with a sentence a line; - or nothing is stdin.")
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
    from hornbook.generate.beam import BeamConfig
    from hornbook.generate.translate import translate
    from hornbook.workflows.open_model import open_translator

    config = BeamConfig.parse(
        {"beams": beam, "penalty": length_penalty, "max_tokens": max_tokens}, "search"
    )
    opened, tokenizer = open_translator(model, device)
    sentences = _sentences(text, file)
    started = time.perf_counter()
    found = translate(opened, tokenizer, sentences, config)
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


def _sentences(text: list[str] | None, file: Path | None) -> list[str]:
    """A text each from --text, else the lines of the file or of standard input."""
    from hornbook.cli.input import read_all
    from hornbook.core.errors import UsageError

    if text and file:
        raise UsageError("Give either --text or --file, not both.")
    if text:
        return [" ".join(sentence.split("\n")) for sentence in text]
    if file is None or str(file) == "-":
        return read_all().splitlines()
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: byte {error.start}.") from None
