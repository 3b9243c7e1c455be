"""`hornbook compare`: which way is worth its cost, measured on one's own data."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import Json

_Minutes = Annotated[
    float, typer.Option(help="For all of it, from start to end: reading, every rung, the report.")
]
_Curve = Annotated[
    str | None, typer.Option(help="Numbers of labels to try as well, such as 50,200,1000.")
]
_Words = Annotated[
    list[str] | None, typer.Option(help="label=word: what stands for a label in a prompt.")
]


def compare(
    task: Annotated[str, typer.Option(help="classify, or lm: domain against general text.")],
    out: Annotated[Path, typer.Option(help="The folder of the result and the report.")],
    data: Annotated[
        Path | None, typer.Option(help="classify: CSV, TSV or JSON Lines with texts and labels.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Texts to judge on; without it a part of --data.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Found by name if not given.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Found by name if not given.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="lm: files and folders of the domain.")
    ] = None,
    general: Annotated[
        list[str] | None, typer.Option(help="lm: files and folders of other text.")
    ] = None,
    minutes: _Minutes = 10.0,
    folds: Annotated[
        int | None, typer.Option(help="Judge on every text by turns, in so many parts.")
    ] = None,
    test_limit: Annotated[int | None, typer.Option(help="Judge on so many texts at most.")] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help="A model to tune, or to prompt if it is a decoder.")
    ] = None,
    rung: Annotated[list[str] | None, typer.Option(help="Only these rungs; see --list.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the rungs and stop.")] = False,
    curve: _Curve = None,
    words: _Words = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json: Json = False,
) -> None:
    """Climb a ladder of ways to do a task on equal minutes; one table, tests, and a verdict."""
    began = time.monotonic()
    from hornbook.core.errors import UsageError, unknown
    from hornbook.core.progress import Progress

    if task == "lm":
        if not domain or not general:
            raise UsageError("--task lm compares --domain with --general; give both.")
        _compare_text(domain, general, minutes, out, seed, began, json)
        return
    if task != "classify":
        raise unknown("task", task, ("classify", "lm"))
    from hornbook.workflows.compare.classifiers import compare as compare_classifiers
    from hornbook.workflows.compare.classifiers import lines_of
    from hornbook.workflows.compare.data import CompareConfig
    from hornbook.workflows.compare.ladder import choose_rungs, ladder_of

    rungs = ladder_of(model or [])
    if list_:
        for one in rungs:
            print(one.name)
        return
    if data is None:
        raise UsageError("--task classify needs --data, a file with texts and labels.")
    config = CompareConfig.parse(
        {
            "data": data,
            "test": test,
            "text_column": text_column,
            "label_column": label_column,
            "folds": folds,
            "test_limit": test_limit,
            "minutes": minutes,
            "curve": [_whole(count) for count in curve.split(",")] if curve else [],
            "words": dict(_pair(pair) for pair in words or []),
            "seed": seed,
        },
        "compare",
    )
    chosen = choose_rungs(rungs, rung) if rung else rungs
    result = compare_classifiers(config, chosen, out, Progress(), began)
    _show(result, lines_of(result), json)


def _compare_text(
    domain: list[str],
    general: list[str],
    minutes: float,
    out: Path,
    seed: int,
    began: float,
    json: bool,
) -> None:
    from hornbook.core.progress import Progress

    progress = Progress()
    progress.doing("loading libraries")
    from hornbook.workflows.compare.domain import compare_text, lines_of

    result = compare_text(domain, general, minutes, out, seed, progress, began)
    _show(result, lines_of(result), json)


def _show(result: dict[str, Any], lines: list[str], json: bool) -> None:
    """The result: lines for people, or one object for programs."""
    from hornbook.cli.output import print_json, show

    for line in [] if json else lines:
        show(line)
    print_json(result, json)


def _whole(text: str) -> int:
    from hornbook.core.errors import UsageError

    if not text.strip().isdecimal():
        raise UsageError(f"--curve {text!r} is no number of labels.")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    from hornbook.core.errors import UsageError

    label, equals, word = text.partition("=")
    if not equals:
        raise UsageError(f"--words {text!r} is not label=word.")
    return label, word
