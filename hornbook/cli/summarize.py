"""`hornbook summarize`: a long text in a few sentences, beside its own first ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.summarize import SourceText


def command(
    model: Annotated[
        Path,
        typer.Argument(
            help="A decoder, an encoder-decoder such as T5, or an encoder that chooses sentences. "
            "A document, a folder or an index in its place is summarised by the encoder that was "
            "pulled."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A file, a folder or an index to summarise. Without one, or with -, standard "
            "input."
        ),
    ] = None,
    lead: Annotated[
        int, typer.Option(help="Number of first sentences of the text to print for comparison.")
    ] = 3,
    sentences: Annotated[
        int | None,
        typer.Option(help="Number of sentences of the summary. By default by the text's length."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="Longest summary, in tokens.")] = 160,
    prompt: Annotated[
        str | None, typer.Option(help="The prompt; {text} in it stands for the text.")
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(
            help="Tokens of the text that are read at once. By default half of a decoder's "
            "context, and all of T5's."
        ),
    ] = None,
    presence_penalty: options.PresencePenalty = 0.0,
    frequency_penalty: options.FrequencyPenalty = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    repetition_window: options.RepetitionWindow = 64,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Summarise a text by its parts; each sentence says where it comes from.

    A decoder's summary is printed where it neither loops nor says what the text does not hold;
    else the sentences of the text that are the most central. Its first ones stand beside.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.summarize import summarize_documents
    from hornbook.workflows.use.summarize import SummarizeConfig

    config = SummarizeConfig.parse(
        {
            "lead": lead,
            "sentences": sentences,
            "max_tokens": max_tokens,
            "prompt": prompt,
            "part": part,
            "presence_penalty": presence_penalty,
            "frequency_penalty": frequency_penalty,
            "repetition_penalty": repetition_penalty,
            "repetition_window": repetition_window,
            "device": device,
        },
        "summarize",
    )
    progress = Progress()
    chosen = None if file is None and _is_text(model) else model
    texts = _texts(model if chosen is None else file, progress)
    found = summarize_documents(chosen, texts, config, progress)
    if not json:
        _show(found, lead)
    print_json(found, json)


def _is_text(place: Path) -> bool:
    """Whether what stands in the place of a model is a document, a folder of them or an index."""
    from hornbook.core.gguf import is_gguf
    from hornbook.workflows.documents.source_texts import is_index

    if place.is_file():
        return not is_gguf(place)
    return place.is_dir() and (is_index(place) or not any(place.rglob("config.json")))


def _texts(file: Path | None, progress: "Progress") -> "list[SourceText]":
    from hornbook.cli.input import read_all
    from hornbook.core.errors import UsageError
    from hornbook.workflows.documents.source_texts import source_texts
    from hornbook.workflows.documents.summarize import SourceText

    if file is None or str(file) == "-":
        return [SourceText(1, "-", read_all())]
    if not file.exists():
        raise UsageError(f"{file} does not exist.")
    return source_texts(file, progress)


def _show(found: dict[str, Any], lead: int) -> None:
    from hornbook.cli.output import note, show

    print(found["summary"])
    if "reason" in found:
        note(f"The decoder's summary is left out: {found['reason']}. These are the text's own.")
    if found["by"] == "words":
        note(
            "No encoder is there, so sentences were compared by their words: hornbook pull "
            "all-minilm-l6-v2, or multilingual-e5-small for other languages than English."
        )
    if len(found["sections"]) > 1:
        show("\nBy parts:")
        for section in found["sections"]:
            print(f"  {section['heading'] or '—'} ({section['start']:,}-{section['end']:,})")
            for one in section["sentences"]:
                print(f"    [{one['start']:,}-{one['end']:,}] {' '.join(one['text'].split())}")
    show(f"\nThe first {lead} sentences, to compare:\n{found['lead']}")
