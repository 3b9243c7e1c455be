"""`hornbook finetune`: tune a model on rows that say what it should do."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import (
    Device,
    DryRun,
    Json,
    Recompute,
    Set,
    Shard,
    Teacher,
    check_new,
    check_resumed_alone,
)
from hornbook.cli.training_data import refuse, tuning

_Model = Annotated[
    str | None,
    typer.Argument(
        help="A model folder, a run folder, a .gguf file, or the name of a pulled model."
    ),
]
_Task = Annotated[
    str,
    typer.Option(
        help="What the model learns: instruct, continue, translate, "
        "summarize, preference, classify, embed, rerank, reward or distil."
    ),
]
_Data = Annotated[
    list[Path] | None,
    typer.Option(
        help="A file of rows to learn from: .json, .jsonl or .parquet; also pairs for "
        "translate, texts for continue, a table for classify, questions with passages for embed "
        "and rerank, prompts with what answers are checked against for reward."
    ),
]
_Method = Annotated[
    str | None,
    typer.Option(
        help="Which weights are trained: full (all), last:N (the last N blocks), head, "
        "lora or lora:R (of rank R). By default lora; for classify full if the model "
        "is small."
    ),
]
_Minutes = Annotated[
    float | None,
    typer.Option(help="Minutes for the whole command: reading, tuning, measuring, writing."),
]
_Epochs = Annotated[float | None, typer.Option(help="Passes over the rows. By default 3.")]
_General = Annotated[
    Path | None,
    typer.Option(
        help="General text on which forgetting is measured. By default Python's documentation."
    ),
]
_Prompt = Annotated[
    str | None,
    typer.Option(
        help="The prompt for rows without an instruction; {text} in it stands for the row's text."
    ),
]
_Rate = Annotated[
    float | None,
    typer.Option(help="Learning rate. By default it follows from the model and the method."),
]
_Context = Annotated[int | None, typer.Option(help="Longest row, in tokens.")]
_Beta = Annotated[
    float | None,
    typer.Option(
        help="preference, reward: how strongly the model is kept near its "
        "start; larger values keep it nearer."
    ),
]
_Reward = Annotated[
    str | None,
    typer.Option(
        help="reward: what an answer is paid for: quote (all that it quotes is word for word in "
        "the row's context), json (it fits a JSON schema) or exact (it is the row's answer)."
    ),
]
_JsonSchema = Annotated[
    str | None,
    typer.Option(
        help="reward json: the schema for rows without one of their own: a file, or the schema "
        "itself."
    ),
]
_GroupSize = Annotated[
    int | None,
    typer.Option(help="reward: answers to a prompt, each judged beside the others. By default 8."),
]
_MaxTokens = Annotated[
    int | None,
    typer.Option(help="reward: the most tokens of an answer; one that has not ended is worth 0."),
]
_TeacherWeight = Annotated[
    float | None,
    typer.Option(
        help="distil: how much the teacher's word counts beside the data's, 0 to 1. By default 0.9."
    ),
]
_OnPolicy = Annotated[
    float | None,
    typer.Option(
        help="distil: share of the steps, the last ones, that learn from what the model writes "
        "itself as well. By default 0.2."
    ),
]
_Compare = Annotated[
    bool | None,
    typer.Option(
        "--compare/--no-compare",
        help="distil: tune without the teacher as well, in the same time, and print the gain; half "
        "of the minutes go there. By default yes.",
    ),
]
_TextColumn = Annotated[
    str | None,
    typer.Option(help="classify: column of the texts. Common names are found by themselves."),
]
_LabelColumn = Annotated[
    str | None,
    typer.Option(help="classify: column of the labels. Common names are found by themselves."),
]
_ClassWeights = Annotated[
    str | None,
    typer.Option(help="classify: balanced (rare classes count for more) or none. By default none."),
]
_Seed = Annotated[
    int, typer.Option(help="Seed of the split, of the order of rows and of new weights.")
]
_DType = Annotated[
    str | None,
    typer.Option(
        help="Number type of the matrix products: "
        "float32 or bfloat16. By default the "
        "faster one, measured."
    ),
]
_Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")]
_DECODERS = ("instruct", "continue", "translate", "summarize", "preference")
_TAKEN_BY: dict[str, tuple[str, ...]] = {
    "--general": (*_DECODERS, "reward", "distil"),
    "--prompt": (*_DECODERS, "reward"),
    "--rate": (*_DECODERS, "embed", "rerank", "reward", "distil"),
    "--context": (*_DECODERS, "embed", "rerank", "distil"),
    "--beta": (*_DECODERS, "reward"),
    "--reward": ("reward",),
    "--json-schema": ("reward",),
    "--group-size": ("reward",),
    "--max-tokens": ("reward",),
    "--teacher": ("distil",),
    "--teacher-weight": ("distil",),
    "--on-policy": ("distil",),
    "--compare": ("distil",),
    "--text-column": ("classify",),
    "--label-column": ("classify",),
    "--class-weights": ("classify",),
}
"""Options that mean something to some tasks only, and to which."""


def command(
    context_: typer.Context,
    model: _Model = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    task: _Task = "instruct",
    data: _Data = None,
    method: _Method = None,
    minutes: _Minutes = None,
    epochs: _Epochs = None,
    general: _General = None,
    prompt: _Prompt = None,
    rate: _Rate = None,
    context: _Context = None,
    beta: _Beta = None,
    reward: _Reward = None,
    json_schema: _JsonSchema = None,
    group_size: _GroupSize = None,
    max_tokens: _MaxTokens = None,
    teacher: Teacher = None,
    teacher_weight: _TeacherWeight = None,
    on_policy: _OnPolicy = None,
    compare: _Compare = None,
    text_column: _TextColumn = None,
    label_column: _LabelColumn = None,
    class_weights: _ClassWeights = None,
    seed: _Seed = 0,
    dtype: _DType = None,
    device: Device = None,
    shard: Shard = None,
    recompute: Recompute = None,
    set_: Set = None,
    resume: _Resume = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Tune a model on your rows, and measure what it gained and what it forgot."""
    began = time.monotonic()
    from hornbook.cli.output import print_json
    from hornbook.core.config import read_recipe
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress

    if out is None:
        raise UsageError("Say where the run goes: --out RUN.")
    check_new(dry_run, resume)
    if resume and model is None and not data:
        check_resumed_alone(context_)
        from hornbook.workflows.projects import resume as resume_any

        print_json(resume_any(out, Progress()), json)
        return
    if model is None or not data:
        raise UsageError("Say what to tune and on what: hornbook finetune MODEL --data FILE.")
    known: dict[str, Any] = {
        "method": method, "minutes": minutes, "epochs": epochs, "seed": seed, "dtype": dtype,
        "device": device, "shard": shard, "recompute": recompute,
    }  # fmt: skip
    own: dict[str, Any] = {
        "--general": general, "--prompt": prompt, "--rate": rate, "--context": context,
        "--beta": beta, "--reward": reward, "--json-schema": json_schema,
        "--group-size": group_size, "--max-tokens": max_tokens, "--teacher": teacher,
        "--teacher-weight": teacher_weight, "--on-policy": on_policy, "--compare": compare,
        "--text-column": text_column, "--label-column": label_column,
        "--class-weights": class_weights,
    }  # fmt: skip
    _check_own(own, task)
    progress = Progress()
    progress.doing("loading libraries")
    from hornbook.workflows.train import forecast, train

    if task != "classify":
        own["--task"] = task
    project = tuning(model, data, task, general, teacher)
    del own["--general"], own["--teacher"]
    known |= {
        name.strip("-").replace("-", "_"): value for name, value in own.items() if value is not None
    }
    known |= read_recipe(None, set_ or ())
    if dry_run:
        print_json(forecast(project, out, progress=progress, began=began, **known), json)
        return
    found = train(project, out, resume=resume, progress=progress, began=began, **known).result
    print_json(found, json)


def _check_own(options: dict[str, Any], task: str) -> None:
    """Raises UsageError for an option that means nothing to a task; a task that is none is refused
    where tasks are known."""
    if all(task not in tasks for tasks in _TAKEN_BY.values()):
        return
    for name, value in options.items():
        alone, *others = tasks = _TAKEN_BY[name]
        if task not in tasks:
            refuse(
                {name: value},
                f"does not go with --task {task}" if others else f"goes with --task {alone}",
            )
