"""`hornbook trace`: where a text stands in the corpus that a model was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from hornbook.explain.spans import TracedSpan


def command(
    run: Annotated[
        Path, typer.Argument(help="A run folder, or a corpus made by `hornbook corpus build`.")
    ],
    text: Annotated[
        str, typer.Argument(help="The text to look for; - reads it from standard input.")
    ],
    least: Annotated[
        int,
        typer.Option(
            min=1,
            help="Shortest passage that is shown, in characters; a Chinese one counts for three.",
        ),
    ] = 12,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Largest number of passages.")] = 10,
    places: Annotated[
        int, typer.Option(min=0, max=1000, help="Places that are shown of each passage.")
    ] = 3,
    json: options.Json = False,
) -> None:
    """Find the longest passages of a text that stand word for word in the training corpus.

    The first call sorts all places of the corpus's text, which takes some seconds for 20 MB.
    """
    import time

    from hornbook.cli.input import read_all
    from hornbook.cli.output import print_json, show
    from hornbook.core.progress import Progress
    from hornbook.workflows.understand.trace import TraceConfig, trace_text

    started = time.perf_counter()
    text = read_all() if text == "-" else text
    corpus, found, looking = trace_text(run, text, TraceConfig(least, count, places), Progress())
    if not json:
        for number, span in enumerate(found.spans, 1):
            _show(number, span)
        show(
            f"{found.covered:,} of {len(text):,} characters stand in the corpus in passages of at "
            f"least {least:,}; the longest has {found.longest:,}."
        )
    shown: dict[str, object] = {
        "corpus": str(corpus.folder),
        "characters": len(text),
        "covered": found.covered,
        "longest": found.longest,
        "spans": [_plain(span) for span in found.spans],
    }
    shown["looking_seconds"] = round(looking, 5)
    print_json({**shown, "seconds": round(time.perf_counter() - started, 4)}, json)


def _show(number: int, span: "TracedSpan") -> None:
    from hornbook.cli.output import show

    print(f'{number}. "{" ".join(span.text.split())}"')
    trained = span.times - span.held_out
    show(f"   in texts to train on: {trained:,}, in texts that were held out: {span.held_out:,}")
    for place in span.places:
        page = "" if place.page is None else f"page {place.page:,}, "
        show(f"   {place.document}: {page}character {place.offset:,}")


def _plain(span: "TracedSpan") -> dict[str, object]:
    return {**span._asdict(), "places": [place._asdict() for place in span.places]}
