"""`hornbook evaluate`: scores with intervals, on tasks of a few lines of YAML."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    task: Annotated[
        list[str], typer.Option(help="A built-in task or a YAML file; may be given several times.")
    ],
    shots: Annotated[
        int | None, typer.Option(help="Examples in the prompt; 0 unless the task says otherwise.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Items of each task at most.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="A file in place of the task's own, or a corpus.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="What the model was trained on, to look for leakage.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same shots.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the task, over its file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for results and a row for each item.")
    ] = None,
    register: Annotated[
        bool, typer.Option(help="Hold the data out of corpora built from now on.")
    ] = True,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Measure a model on tasks, beside floors; leakage is looked for first."""
    from hornbook.cli.output import print_json, show
    from hornbook.core.progress import Progress
    from hornbook.workflows.use.evaluate import EvaluateConfig, evaluate

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
            "overrides": tuple(set_ or ()),
            "held_out": register,
        },
        "evaluate",
    )
    found = evaluate(model, config, Progress(), None if json else show)
    one = found[0] if len(found) == 1 else {"model": str(model), "results": found}
    print_json(one, json)
