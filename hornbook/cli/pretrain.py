"""`hornbook pretrain`: train a model of any family on text, on pairs or on images."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import (
    DryRun,
    Json,
    Recompute,
    Set,
    Shard,
    check_new,
    check_resumed_alone,
)
from hornbook.cli.training_data import PretrainingData, pretraining

_Family = Annotated[
    str | None,
    typer.Option(
        help="On a corpus gpt (default), moe, mamba2, lfm2, qwen3.5, lstm or bert; on "
        "pairs transformer, lstm or lstm-attention; on images vit."
    ),
]


def command(
    context_: typer.Context,
    out: Annotated[
        Path,
        typer.Option(help="Folder of the run: a new one, or with --resume one that was stopped."),
    ],
    corpus: Annotated[
        Path | None, typer.Option(help="A folder made by `hornbook corpus build`.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Pairs to learn to translate from: a table or JSON Lines file, or two aligned "
            "files (give the option twice)."
        ),
    ] = None,
    validation: Annotated[
        list[Path] | None, typer.Option(help="Pairs for validation, given as --pairs is.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Pairs on which BLEU is measured, given as --pairs is."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Labelled images: a folder for each class, idx files, or Parquet."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Minutes for the whole command; all that is not set follows from them."),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="Train on this number of tokens, instead of for --minutes.")
    ] = None,
    family: _Family = None,
    preset: Annotated[
        str | None, typer.Option(help="Architecture of the family gpt: qwen3, llama or gpt2.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="Start from the weights of this model, instead of random ones."),
    ] = None,
    depth: Annotated[int | None, typer.Option(help="Number of blocks.")] = None,
    width: Annotated[
        int | None, typer.Option(help="Width of the residual stream, in channels.")
    ] = None,
    heads: Annotated[int | None, typer.Option(help="Number of attention heads.")] = None,
    vocab_size: Annotated[
        int | None, typer.Option(help="Vocabulary of the new tokenizer, in tokens.")
    ] = None,
    context: Annotated[int | None, typer.Option(help="Longest sequence, in tokens.")] = None,
    rows: Annotated[int | None, typer.Option(help="Sequences or images in each step.")] = None,
    micro_rows: Annotated[
        int | None, typer.Option(help="Sequences computed at once; fewer need less memory.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder of a tokenizer to use, instead of the corpus's own.")
    ] = None,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Documents in one window do not attend to each other.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the initial weights and of the order of the data.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="Number type of the matrix products: float32 or "
            "bfloat16. By default the faster one, measured."
        ),
    ] = None,
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Compile with torch.compile, or not. By default measured.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda. By default cuda if there is one.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A YAML file with values for these options.")
    ] = None,
    set_: Set = None,
    keep: Annotated[
        int | None,
        typer.Option(
            help="Checkpoints that stay, at steps in equal ratios: the life of the model, for "
            "`hornbook biography`."
        ),
    ] = None,
    canaries: Annotated[
        int | None,
        typer.Option(
            help="Plant this number of made-up secrets once, and as many ten times, for `hornbook "
            "memorization`."
        ),
    ] = None,
    shard: Shard = None,
    recompute: Recompute = None,
    resume: Annotated[bool, typer.Option(help="Continue a run that was stopped.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a model from scratch or from --init, on text, on pairs or on images, and measure it."""
    began = time.monotonic()
    from hornbook.cli.output import print_json
    from hornbook.core.config import read_recipe
    from hornbook.core.progress import Progress
    from hornbook.workflows.train import Run, forecast, train

    check_new(dry_run, resume)
    data = PretrainingData(corpus, pairs, validation, test, images)
    if resume and not data.given:
        check_resumed_alone(context_)
        _end(Run(out).resume(progress=Progress()).result, json)
        return
    asked = {
        "minutes": minutes, "tokens": tokens, "seed": seed, "isolate": isolate or None,
        "dtype": dtype, "compiled": compiled, "device": device, "family": family,
        "preset": preset, "depth": depth, "width": width, "heads": heads,
        "vocab_size": vocab_size, "context": context, "rows": rows, "micro_rows": micro_rows,
        "keep": keep, "canaries": canaries, "shard": shard, "recompute": recompute,
    }  # fmt: skip
    values = {**read_recipe(recipe, set_ or ())}
    values |= {key: value for key, value in asked.items() if value is not None}
    only_text = {
        "--canaries": canaries, "--preset": preset, "--init": init, "--tokenizer": tokenizer,
    }  # fmt: skip
    project = pretraining(data, values, only_text)
    if dry_run:
        print_json(forecast(project, out, progress=Progress(), began=began, **values), json)
        return
    found = train(project, out, resume=resume, progress=Progress(), began=began, **values)
    _end(found.result, json)


def _end(found: dict[str, Any], json: bool) -> None:
    """The result: lines for people, or one object for programs."""
    from hornbook.cli.output import print_json, show
    from hornbook.workflows.runs.outcome import outcome

    for line in [] if json else outcome(found):
        show(line)
    print_json(found, json)
