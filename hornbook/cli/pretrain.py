"""`hornbook pretrain`: train a decoder on a corpus."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import Json


def command(
    out: Annotated[Path, typer.Option(help="The run's folder; a new one, or one to --resume.")],
    corpus: Annotated[
        Path | None, typer.Option(help="A folder made by `hornbook corpus build`.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="How long to train; all sizes are derived from it.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Train on so many tokens instead.")] = None,
    family: Annotated[
        str | None, typer.Option(help="gpt (the default), mamba2, lfm2 or lstm.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="qwen3, llama, qwen2 or gpt2, of gpt.")] = None,
    init: Annotated[
        Path | None, typer.Option(help="Go on from this model instead of fresh weights.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="Blocks.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels of the stream.")] = None,
    heads: Annotated[int | None, typer.Option(help="Attention heads.")] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Tokens of the tokenizer.")] = None,
    context: Annotated[int | None, typer.Option(help="Longest sequence, in tokens.")] = None,
    rows: Annotated[int | None, typer.Option(help="Sequences a step.")] = None,
    micro_rows: Annotated[
        int | None, typer.Option(help="Sequences computed at once; fewer need less memory.")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="Use this tokenizer's folder.")] = None,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Documents in one window do not see each other.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of weights and order.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; measured when not given.")
    ] = None,
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="torch.compile; measured when not given."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A YAML file of all these.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, over the recipe's.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a stopped run was saved.")] = False,
    json: Json = False,
) -> None:
    """Train a decoder on a corpus, and measure it beside gzip, xz and an n-gram model."""
    from hornbook.cli.output import print_json
    from hornbook.core.config import read_recipe
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress
    from hornbook.models.presets import preset_of
    from hornbook.workflows.pretrain import inputs_of, pretrain, request_of, resume_run

    if resume and corpus is None:
        print_json(resume_run(out, Progress()), json)
        return
    if corpus is None:
        raise UsageError("Say what to train on: --corpus DIR, a folder made by `corpus build`.")
    sizes = {
        "preset": preset_of(family, preset), "depth": depth, "width": width, "heads": heads,
        "vocab": vocab_size, "context": context, "rows": rows, "micro_rows": micro_rows,
    }  # fmt: skip
    asked = {
        "minutes": minutes, "tokens": tokens, "seed": seed, "isolate": isolate or None,
        "dtype": dtype, "compiled": compiled, "device": device,
    }  # fmt: skip
    values: dict[str, Any] = read_recipe(recipe, set_ or ())
    values |= {key: value for key, value in asked.items() if value is not None}
    plan = values.get("plan") or {}
    if not isinstance(plan, dict):
        raise UsageError(f"plan = {plan!r} holds a value, not keys such as plan.depth.")
    values["plan"] = plan | {key: value for key, value in sizes.items() if value is not None}
    inputs = inputs_of(corpus, tokenizer, init)
    print_json(pretrain(inputs, out, request_of(inputs, values), resume, Progress()), json)
