"""`hornbook evaluate`: scores with intervals, on tasks of a few lines of YAML."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    task: Annotated[
        list[str],
        typer.Option(
            help="A built-in task, or a YAML file; retrieval or answers, where MODEL is an index."
        ),
    ],
    shots: Annotated[
        int | None,
        typer.Option(
            help="Number of examples in the prompt. By default what the task says, mostly 0."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Largest number of items of each task.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A file to use in place of the task's own, or a corpus; for an index, "
            "questions that say what answers them."
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(help="Of an index: a model that ranks anew what is found, measured beside."),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="The corpus that the model was trained on: items "
            "that it contains are counted as leaked."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the random choice of examples and of intervals.")
    ] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Set a value of the task.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results and for a row about each item.")
    ] = None,
    register: Annotated[
        bool, typer.Option(help="Keep the items out of all corpora that are built from now on.")
    ] = True,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Measure a model on tasks, with intervals and baselines, after a search for leakage."""
    from hornbook.cli.output import print_json, show
    from hornbook.core.progress import Progress
    from hornbook.workflows.measure.evaluate import EvaluateConfig, evaluate

    config = EvaluateConfig.parse(
        {
            "tasks": tuple(task),
            "shots": shots,
            "limit": limit,
            "seed": seed,
            "data": data,
            "corpus": corpus,
            "out": out,
            "device": device,
            "rerank": rerank,
            "overrides": tuple(set_ or ()),
            "held_out": register,
        },
        "evaluate",
    )
    found = evaluate(model, config, Progress(), None if json else show)
    one = found[0] if len(found) == 1 else {"model": str(model), "results": found}
    print_json(one, json)
