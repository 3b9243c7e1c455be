"""`hornbook compare`: which way is worth its cost, measured on one's own data."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import Json

_Minutes = Annotated[
    float, typer.Option(help="Minutes for the whole comparison: reading, every method, the report.")
]
_Curve = Annotated[
    str | None,
    typer.Option(help="Also compare with fewer labelled texts: numbers such as 50,200,1000."),
]
_Words = Annotated[
    list[str] | None, typer.Option(help="The word that stands for a label in a prompt.")
]
_Task = Annotated[
    str | None,
    typer.Option(
        help="classify (methods of classification), or lm (a language model of a domain against "
        "one of general text)."
    ),
]


def compare(
    task: _Task = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the result and the report.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="classify: a table of texts and labels (.csv, .tsv, .jsonl, .json or .parquet)."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(help="classify: a table to test on. By default a part of --data is held out."),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="classify: column of the texts. Common names are found by themselves."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="classify: column of the labels. Common names are found by themselves."),
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="lm: a file or folder with text of the domain.")
    ] = None,
    general: Annotated[
        list[str] | None, typer.Option(help="lm: a file or folder with general text.")
    ] = None,
    minutes: _Minutes = 10.0,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validation with this number of parts, instead of one test part."),
    ] = None,
    test_limit: Annotated[
        int | None, typer.Option(help="Test on at most this number of texts.")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="A model to compare as well: it is tuned, and prompted if it is a decoder."
        ),
    ] = None,
    rung: Annotated[
        list[str] | None, typer.Option(help="Compare only this method; --list names them all.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the methods that would be compared, and stop.")
    ] = False,
    curve: _Curve = None,
    words: _Words = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the split, of the order of rows and of new weights.")
    ] = 0,
    json: Json = False,
) -> None:
    """Compare methods for a task on your data with equal time: a table, tests, a verdict."""
    began = time.monotonic()
    from hornbook.core.errors import UsageError, unknown
    from hornbook.core.progress import Progress

    if list_:
        _list(task, model)
        return
    if task is None:
        raise UsageError("Say what to compare: --task classify or --task lm.")
    if out is None:
        raise UsageError("Say where the result goes: --out FOLDER.")
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
    rungs = ladder_of(model or [])
    chosen = choose_rungs(rungs, rung) if rung else rungs
    result = compare_classifiers(config, chosen, out, Progress(), began)
    _show(result, lines_of(result), json)


def _list(task: str | None, model: list[Path] | None) -> None:
    """The names that --rung takes."""
    from hornbook.core.errors import UsageError
    from hornbook.workflows.compare.ladder import ladder_of

    if task not in (None, "classify"):
        raise UsageError("--list goes with --task classify.")
    for rung in ladder_of(model or []):
        print(rung.name)


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
