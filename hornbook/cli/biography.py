"""`hornbook biography`: the life of one sentence of the corpus in a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli import options


def command(
    run: Annotated[Path, typer.Argument(help="A finished run of `hornbook pretrain --corpus`.")],
    text: Annotated[
        str, typer.Argument(help="A sentence of its corpus; - reads it from standard input.")
    ],
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Train again without the sentence, and again without others like it."
        ),
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes that --retrain may take.")] = 5.0,
    others: Annotated[
        int,
        typer.Option(min=2, max=256, help="Number of other passages that are followed beside it."),
    ] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the choice of the others.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures here.")] = None,
    json: options.Json = False,
) -> None:
    """Follow one sentence through the training of a model: its steps, its loss, its traces.

    A run that kept checkpoints (`hornbook pretrain --keep`) shows more of its life.
    """
    import time

    from hornbook.cli.input import read_all
    from hornbook.cli.output import print_json, show
    from hornbook.core.progress import Progress
    from hornbook.workflows.understand.biography import BiographyConfig, biography
    from hornbook.workflows.understand.biography_page import check_page, write_page

    started = time.perf_counter()
    if html:
        check_page(html)
    text = read_all() if text == "-" else text
    config = BiographyConfig(retrain, minutes, others, seed)
    found = biography(run, text, config, Progress(quiet=json))
    if html:
        write_page(html, found)
    if not json:
        _show(found)
        if html:
            show(f"The page: {html}")
    page = str(html) if html else None
    print_json({**found, "seconds": round(time.perf_counter() - started, 2), "page": page}, json)


def _show(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show

    place, times = found["places"][0], len(found["places"])
    page = "" if place["page"] is None else f"page {place['page']:,}, "
    show(f"It stands in {place['document']}: {page}character {place['offset']:,}")
    show(f"Places in the corpus: {times:,}; tokens: {len(found['tokens']):,}")
    steps = [row["step"] + 1 for row in found["trained_in"]]
    if steps:
        shown = ", ".join(f"{step:,}" for step in steps[:12]) + (" ..." if len(steps) > 12 else "")
        show(f"Trained on it: steps {shown} of {found['steps']:,}")
    else:
        show(f"None of the {found['steps']:,} steps trained on it.")
    show("Loss in nats a token: the sentence, others of the text, held-out ones")
    for row in found["life"]:
        beside = "  ".join(
            "     -" if row[name] is None else f"{row[name]:6.3f}"
            for name in ("others", "held_out")
        )
        print(f"  {row['step']:>7,}  {row['nats']:6.3f}  {beside}  {_line(row['text'])}")
    again = found["retrained"]
    if again:
        change, linked = again["change"], again["correlation"]
        show(
            f"Without it, from step {again['from_step']:,} on: {change['value']:+.4f} nats a token "
            f"({change['low']:+.4f} to {change['high']:+.4f}); without others: "
            f"{again['chance']:+.4f}"
        )
        show(
            "What gradients foretold and what came, rank correlation: "
            f"{linked['value']:.2f} ({linked['low']:.2f} to {linked['high']:.2f})"
        )


def _line(text: str) -> str:
    return " ".join(text.split())
