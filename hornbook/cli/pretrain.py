"""`hornbook pretrain`: train a model of any family on text, on pairs or on images."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.options import Json

_PAIRS = "One table or JSON Lines file of pairs, or two aligned files (give the option twice)."

_Family = Annotated[
    str | None,
    typer.Option(
        help="gpt (the default), mamba2, lfm2, lstm or bert on a corpus; transformer, lstm or "
        "lstm-attention on pairs; vit on images."
    ),
]


def command(
    out: Annotated[Path, typer.Option(help="The run's folder; a new one, or one to --resume.")],
    corpus: Annotated[
        Path | None, typer.Option(help="A folder made by `hornbook corpus build`.")
    ] = None,
    pairs: Annotated[list[Path] | None, typer.Option(help=f"To translate. {_PAIRS}")] = None,
    validation: Annotated[
        list[Path] | None, typer.Option(help="Pairs to validate on, as --pairs.")
    ] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Pairs to measure BLEU on.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Labelled images: folders by class, idx files, Parquet.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Of the whole command; what you do not set follows from it."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Train on so many tokens instead.")] = None,
    family: _Family = None,
    preset: Annotated[str | None, typer.Option(help="qwen3, llama or gpt2, of the gpts.")] = None,
    init: Annotated[
        Path | None, typer.Option(help="Go on from this model instead of fresh weights.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="Blocks.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels of the stream.")] = None,
    heads: Annotated[int | None, typer.Option(help="Attention heads.")] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Tokens of the tokenizer.")] = None,
    context: Annotated[int | None, typer.Option(help="Longest sequence, in tokens.")] = None,
    rows: Annotated[int | None, typer.Option(help="Sequences or images a step.")] = None,
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
    """Train a model and measure it; on text, beside gzip, xz and an n-gram model."""
    began = time.monotonic()
    from hornbook.core.progress import Progress

    how = {"folder": out, "resume": resume, "progress": Progress(), "began": began}
    data = {"--corpus": corpus, "--pairs": pairs, "--images": images}
    if resume and not any(data.values()):
        _resume(out, how, json)
        return
    sizes = {
        "depth": depth, "width": width, "heads": heads, "vocab": vocab_size, "context": context,
        "rows": rows, "micro_rows": micro_rows,
    }  # fmt: skip
    asked = {
        "minutes": minutes, "tokens": tokens, "seed": seed, "isolate": isolate or None,
        "dtype": dtype, "compiled": compiled, "device": device,
    }  # fmt: skip
    kind, values = _kind(data), _values(recipe, set_, asked, sizes)
    if kind == "--corpus":
        values["plan"] |= _preset(family, preset)
        found = _on_text(corpus, tokenizer, init, values, how)
    else:
        _refuse(kind, {"--preset": preset, "--init": init, "--tokenizer": tokenizer})
        if kind == "--pairs":
            found = _on_pairs((pairs, validation, test), family, values, how)
        else:
            found = _on_images(images, family, values, how)
    _end(found, json)


def _resume(out: Path, how: dict[str, Any], json: bool) -> None:
    """Go on with a run that knows what it trains on."""
    from hornbook.workflows.projects import resume

    _end(resume(out, how["progress"]), json)


def _end(found: dict[str, Any], json: bool) -> None:
    """The result: lines for people, or one object for programs."""
    from hornbook.cli.output import print_json, show
    from hornbook.workflows.runs.outcome import outcome

    for line in [] if json else outcome(found):
        show(line)
    print_json(found, json)


def _kind(data: dict[str, Any]) -> str:
    """Which one of the options that say what to train on was given."""
    from hornbook.core.errors import UsageError

    given = [name for name, value in data.items() if value]
    if len(given) != 1:
        found = f" and not {' and '.join(given)} together" if given else ""
        raise UsageError(
            "Say what to train on: --corpus DIR, a folder made by `corpus build`, or --pairs FILE, "
            f"or --images DIR{found}."
        )
    return given[0]


def _refuse(kind: str, options: dict[str, Any]) -> None:
    """Options that mean nothing with this kind of data are not passed over in silence."""
    from hornbook.core.errors import UsageError

    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} goes with --corpus, not with {kind}.")


def _values(
    recipe: Path | None, set_: list[str] | None, asked: dict[str, Any], sizes: dict[str, Any]
) -> dict[str, Any]:
    """The recipe's values with those of the options over them."""
    from hornbook.core.config import read_recipe
    from hornbook.core.errors import UsageError

    values: dict[str, Any] = read_recipe(recipe, set_ or ())
    values |= {key: value for key, value in asked.items() if value is not None}
    plan = values.get("plan") or {}
    if not isinstance(plan, dict):
        raise UsageError(f"plan = {plan!r} holds a value, not keys such as plan.depth.")
    return {**values, "plan": plan | {k: v for k, v in sizes.items() if v is not None}}


def _preset(family: str | None, preset: str | None) -> dict[str, str]:
    from hornbook.models.presets import preset_of

    found = preset_of(family, preset)
    return {"preset": found} if found else {}


def _on_text(
    corpus: Any, tokenizer: Path | None, init: Path | None, values: Any, how: dict[str, Any]
) -> dict[str, Any]:
    from hornbook.workflows.projects.text.project import Text

    return _train(Text(corpus, tokenizer, init), values, how)


def _on_pairs(splits: Any, family: str | None, values: Any, how: dict[str, Any]) -> dict[str, Any]:
    from hornbook.core.errors import UsageError
    from hornbook.workflows.projects.pairs.project import Pairs

    for name, files in zip(("--pairs", "--validation", "--test"), splits, strict=True):
        if not files:
            raise UsageError(
                f"{name} is missing: training on pairs takes --pairs, --validation and --test, "
                "each with one file of pairs or two aligned files."
            )
        if len(files) > 2:
            raise UsageError(f"{name} takes one file of pairs or two aligned ones.")
    return _train(Pairs(*splits), values | ({"family": family} if family else {}), how)


def _on_images(images: Any, family: str | None, values: Any, how: dict[str, Any]) -> dict[str, Any]:
    from hornbook.core.errors import UsageError, unknown
    from hornbook.read.locations import lies_in
    from hornbook.workflows.projects.images.project import Images

    if family not in (None, "vit"):
        raise unknown("family of images", str(family), ("vit",))
    if lies_in(how["folder"], images):
        raise UsageError(
            f"{how['folder']} lies in {images}, whose folders are classes; name another --out."
        )
    return _train(Images(images), values, how)


def _train(project: Any, values: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    """Begin the run, or go on with it; its minutes began with the command."""
    from hornbook.core.clock import Clock
    from hornbook.workflows.runs.run import run

    request = project.request(values)
    began = how.pop("began")
    return run(project, request=request, clock=Clock.start(request.minutes, began), **how)
