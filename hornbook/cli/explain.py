"""`hornbook explain`: why a model says what it says, and whether to believe the explanation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli import options

_SHOWN = 12
"""Pieces that are listed, those that count most first."""


def command(
    model: options.Model,
    text: Annotated[
        str | None, typer.Option(help="The text; - reads it from standard input.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="An image, for a model that labels them.")
    ] = None,
    position: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The token to explain, from 1: of the text, or of its translation. By default the "
            "one that comes next.",
        ),
    ] = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="Only test which explanations to believe, on --data."),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="What explanations are tested on: a file of text, of which a model that is no "
            "decoder takes the lines, or a folder of images. For a decoder by default --text."
        ),
    ] = None,
    contexts: Annotated[
        int | None,
        typer.Option(min=0, help="Places of the text that are tested at; 0 for no test."),
    ] = None,
    window: Annotated[
        int, typer.Option(min=8, help="Tokens of the context at each of these places.")
    ] = 64,
    draws: Annotated[
        int, typer.Option(min=0, max=100, help="Other tokens tried in the place of each.")
    ] = 2,
    seed: options.Seed = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with all of it.")] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Say which parts of its input a model's answer comes from, and test that explanation.

    A decoder's next token, a classifier's label, a translation, or a word in a gap. Each way to
    explain it is compared with deleting the most recent tokens, which needs no model.
    """
    import time

    from hornbook.cli.input import read_all, text_of
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.understand.explain import ExplainRequest, explain
    from hornbook.workflows.understand.explain_page import check_page, write_page

    started = time.perf_counter()
    if html is not None:
        check_page(html)
    words = read_all() if text == "-" else text
    images = data if data is not None and data.is_dir() else None
    of = None if data is None or images else text_of(data)
    places = contexts if contexts is not None else 10 if data is None else 20
    request = ExplainRequest(
        words, image, position, of, images, test, places, window, draws, seed, device
    )
    found = explain(model, request, Progress())
    if html is not None:
        write_page(html, found)
        found["html"] = str(html)
    if not json:
        _show(found)
    print_json({**found, "seconds": round(time.perf_counter() - started, 3)}, json)


def _show(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show

    if "alternatives" in found:
        show("What it could say:")
        for one in found["alternatives"][:5]:
            print(f"  {one['probability']:6.1%}  {one['token']!r}")
        _show_influence(found)
        _show_lens(found["lens"])
    if found.get("recall"):
        show("What the state still holds, by how much a repeated token is likelier:")
        for one in found["recall"]:
            show(f"  after {one['distance']:,} tokens: {one['gain']:+.2f} nats")
    _show_tests(found)


def _show_influence(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show
    from hornbook.workflows.understand.explain_words import METHODS, called

    name = called(METHODS[found["method"]])
    show(f"What {found['target']['token']!r} comes from, by {name}:")
    numbered = list(enumerate(found["influence"], 1))
    for number, one in sorted(numbered, key=lambda row: -row[1]["score"])[:_SHOWN]:
        print(f"  {one['score']:+8.3f}  {number:4d}  {one['token']!r}")


def _show_lens(rows: list[dict[str, Any]]) -> None:
    from hornbook.cli.output import show

    show("What it would say after each block, and what is explained there, with its rank:")
    for row in rows:
        print(
            f"  {row['block']:4d}  {row['token']!r} {row['probability']:.1%}  "
            f"({row['target_probability']:.2%}, {row['rank']:,})"
        )


def _show_tests(found: dict[str, Any]) -> None:
    """The verdict on each way to explain, where there was a test."""
    from hornbook.cli.output import note, show
    from hornbook.workflows.understand.explain_words import (
        EVIDENCE,
        METHODS,
        ORDERS,
        called,
        verdict_pair,
    )

    if not found["tests"] and "alternatives" in found:
        note("No explanation was tested here; what is shown first is a convention.")
    kinds = dict.fromkeys(row["evidence"] for row in found["tests"])
    for kind in kinds:
        rows = [row for row in found["tests"] if row["evidence"] == kind]
        order, places = called(ORDERS[rows[0]["against"]][1]), called(EVIDENCE[kind])
        show(f"Beyond deleting {order}, in nats, {places}:")
        for row in rows:
            interval = f"({row['low']:+.2f} – {row['high']:+.2f})"
            name = called(METHODS[row["method"]])
            verdict = called(verdict_pair(row["verdict"], row["against"]))
            print(f"  {row['value']:+.2f} {interval:18s} {row['contexts']:3d}  {name}: {verdict}")
    if "any" in kinds and "far" not in kinds:
        note("No place was found where the model relies on what is far back.")
