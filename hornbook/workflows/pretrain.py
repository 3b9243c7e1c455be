"""Pretraining as a user means it: corpus in, a measured model folder and a report out.

Calls the stages in order: dial, tokenizer, shards, rehearsal, forecast, training, validation,
floors. Knows the other packages' front doors; computes nothing itself.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.batches.masking import Windows
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file, require_space, write_json
from hornbook.core.machine import Machine, measure_machine, peak_memory_bytes, versions
from hornbook.core.progress import Progress
from hornbook.corpus.build import Corpus
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config, resolve, save_model
from hornbook.models.tensors import WEIGHTS
from hornbook.tokenize.measure import measure
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.checkpoint import KEPT, load_checkpoint
from hornbook.train.dial import Choice, Plan, choose, probe_speed, sizes_of
from hornbook.train.forecast import Run, forecast, rehearse
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import Optimiser, OptimiserConfig, is_hidden_matrix
from hornbook.train.precision import compile_layers
from hornbook.train.state import TrainState
from hornbook.train.validation import Score, Validation
from hornbook.workflows import run as layout
from hornbook.workflows.floors import measure_floors
from hornbook.workflows.model_card import model_card
from hornbook.workflows.prepare import Bench, prepare
from hornbook.workflows.report import write_report
from hornbook.workflows.run import PretrainRequest, Recipe
from hornbook.workflows.training import HOOKS_SHARE, Job, train_run


class Inputs(NamedTuple):
    """What training reads: a corpus, a tokenizer brought along, and a model to go on from."""

    corpus: Corpus
    tokenizer: Path | None = None
    init: Path | None = None


def pretrain(
    inputs: Inputs,
    run: Path,
    request: PretrainRequest,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a decoder on a corpus into the folder `run`; returns the facts of result.json.

    A finished run of the same request is reused. Raises UsageError for a folder that holds
    another run, Interrupted after Ctrl-C with a checkpoint written, Diverged with the checkpoint
    before it in place.
    """
    progress = progress or Progress()
    request.check()
    recipe = layout.previous(run, request, resume, Recipe)
    if there := layout.finished(run, recipe, progress):
        return there
    resumed = recipe is not None
    machine = recipe.machine if recipe else measure_machine(request.device)
    torch.set_num_threads(machine.threads)
    plan, choices = (recipe.plan, recipe.choices) if recipe else _plan(machine, inputs, request)
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    bench = prepare(
        *inputs, run, plan, machine, seed=request.seed, isolate=request.isolate, progress=progress
    )
    if recipe is None:
        recipe = _settle(run, request, machine, plan, choices, bench, inputs, progress)
        recipe.save(run)
        progress.say(_announcement(recipe))
    elif recipe.compiled:
        compile_layers(bench.model.get_submodule("stack"))
    state = _fresh(bench, recipe.request, recipe.loop)
    if resumed:
        load_checkpoint(run / layout.CHECKPOINTS, state)  # without one, from the beginning
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    _train(run, recipe, bench, state, inputs.corpus, progress)
    return _finish(run, recipe, bench, state, inputs.corpus, progress)


def inputs_of(corpus: Path, tokenizer: Path | None = None, init: Path | None = None) -> Inputs:
    """Open what training reads; the tokenizer of a model to go on from comes with it."""
    if init is None:
        return Inputs(Corpus.open(corpus), tokenizer)
    if tokenizer is not None:
        raise UsageError(f"--init {init} brings its own tokenizer; leave --tokenizer out.")
    folder = resolve(init)
    return Inputs(Corpus.open(corpus), folder, folder)


def request_of(inputs: Inputs, values: dict[str, Any]) -> PretrainRequest:
    """The request that plain `values` make on these inputs; raises UsageError.

    Going on from a model is gentler than beginning, unless the values say how the weights move.
    """
    corpus, tokenizer, init = inputs
    known: dict[str, Any] = {
        "corpus": corpus.fingerprint,
        "tokenizer": Tokenizer.load(tokenizer).fingerprint if tokenizer else None,
        "init": hash_file(init / WEIGHTS) if init else None,
    }
    if init and "optimiser" not in values:
        known["optimiser"] = OptimiserConfig().gentle().plain()
    return PretrainRequest.parse({**values, **known}, "pretrain")


def resume_run(run: Path, progress: Progress) -> dict[str, Any]:
    """Go on with the stopped run in `run`, which knows its own request and corpus."""
    recipe = Recipe.load(run)
    folders = (recipe.tokenizer_folder, recipe.init_folder)
    tokenizer, init = (Path(folder) if folder else None for folder in folders)
    inputs = Inputs(Corpus.open(Path(recipe.corpus_folder)), tokenizer, init)
    return pretrain(inputs, run, recipe.request, True, progress)


def _plan(machine: Machine, inputs: Inputs, request: PretrainRequest) -> tuple[Plan, list[Choice]]:
    """Probe this machine and turn the dial."""
    flops = probe_speed(machine)
    seconds = request.minutes * 60 if request.minutes else _seconds_for(request.tokens, flops)
    there = None
    if inputs.init:
        config = load_config(inputs.init)
        there = sizes_of(config, to_hf(config)[0].model_type)
    return choose(flops, machine, inputs.corpus.bytes("train"), seconds, request.plan, there)


def _seconds_for(tokens: int | None, flops: float) -> float:
    """A guess at the time `tokens` take, at 10 M weights: only the dial's shape depends on it."""
    assert tokens is not None
    return tokens * 6e7 / flops


def _settle(
    run: Path,
    request: PretrainRequest,
    machine: Machine,
    plan: Plan,
    choices: list[Choice],
    bench: Bench,
    inputs: Inputs,
    progress: Progress,
) -> Recipe:
    """Rehearse, forecast, and fix the number of steps."""
    started = time.perf_counter()
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
    )
    quick = _quick_validation(bench, plan)
    rehearsed = Run(
        fresh=lambda: _fresh(bench, request, loop),
        objective=bench.task.objective,
        batches=_view(bench, bench.batches, request.seed),
        score=lambda: _score(quick, bench, loop).bits_per_byte.value,
        machine=machine,
    )
    step_tokens = plan.rows * plan.context
    wanted = -(-(request.tokens or 0) // step_tokens)
    seconds = request.minutes * 60 if request.minutes else None
    progress.say("Rehearsing: timing steps, settling compilation, training a sixteenth ...")
    rehearsal = rehearse(rehearsed, loop, seconds, wanted, request.compiled)
    if seconds is not None:
        left = max(seconds - (time.perf_counter() - started), 0.3 * seconds)
        wanted = max(1, int(left * (1 - HOOKS_SHARE) / rehearsal.step_s))
    expected = forecast(
        rehearsal,
        steps=wanted,
        tokens=wanted * step_tokens,
        epochs=wanted / bench.batches.steps_per_epoch,
        seconds=wanted * rehearsal.step_s / (1 - HOOKS_SHARE),
        disk_bytes=_disk_bytes(bench),
    )
    # One more checkpoint is written before the oldest goes.
    require_space(run, 2 * expected.disk_bytes, "A run with its checkpoints")
    return Recipe(
        request=request,
        corpus_folder=str(inputs.corpus.folder.absolute()),
        tokenizer_folder=str(inputs.tokenizer.absolute()) if inputs.tokenizer else None,
        init_folder=str(inputs.init.absolute()) if inputs.init else None,
        machine=machine,
        plan=plan,
        choices=choices,
        loop=loop.model_copy(update={"steps": wanted}),
        compiled=rehearsal.compiled,
        compiled_reason=rehearsal.reason,
        forecast=expected,
        versions=versions(),
    )


def _announcement(recipe: Recipe) -> str:
    """What was settled and what is expected, before the first step."""
    expected = recipe.forecast
    return (
        f"  products in {recipe.loop.dtype}\n"
        f"  compiled: {'yes' if recipe.compiled else 'no'} ({recipe.compiled_reason})\n"
        f"Forecast: {expected.steps:,} steps, {expected.tokens:,} tokens "
        f"({expected.epochs:.1f} times the text) in {expected.seconds:,.0f} s; "
        f"{expected.peak_bytes / 2**20:,.0f} MiB of memory, "
        f"{expected.disk_bytes / 2**20:,.0f} MiB of disk; "
        f"{expected.bits_per_byte:.2f} bits per byte "
        f"(90 % interval {expected.low:.2f} to {expected.high:.2f})."
    )


def _fresh(bench: Bench, request: PretrainRequest, loop: LoopConfig) -> TrainState:
    """The model with new weights, and an optimiser that has seen nothing."""
    bench.reset(request.seed)
    dtype: torch.dtype = getattr(torch, loop.dtype)
    return TrainState(bench.model, Optimiser(bench.model, request.optimiser, dtype))


def _train(
    run: Path,
    recipe: Recipe,
    bench: Bench,
    state: TrainState,
    corpus: Corpus,
    progress: Progress,
) -> None:
    """The loop with its hooks: log, evaluate, sample, checkpoint, stop on request."""
    loop = recipe.loop
    quick = _quick_validation(bench, recipe.plan)
    samples_of = bench.task.samples(corpus, bench.model, bench.tokenizer)

    def evaluate() -> dict[str, Any]:
        score = _score(quick, bench, loop)
        bits = score.bits_per_byte.value
        progress.say(f"  step {state.step:>6} of {loop.steps}: {bits:.4f} bits per byte")
        return {"bits_per_byte": bits, "nats_per_token": score.nats_per_token}

    def sample() -> dict[str, Any]:
        found = samples_of.sample(seed=state.step)
        progress.say(f"  sample: {found['prompt']}⁞{found['text']}")
        return found

    batches = _view(bench, bench.batches, recipe.request.seed)
    resume = f"hornbook pretrain --out {run} --resume"
    job = Job(bench.task.objective, batches, loop, evaluate, sample, resume)
    train_run(run, state, job, progress)


def _finish(
    run: Path,
    recipe: Recipe,
    bench: Bench,
    state: TrainState,
    corpus: Corpus,
    progress: Progress,
) -> dict[str, Any]:
    """Measure the trained model on all of the validation text, beside the floors; write it out."""
    peak_bytes = peak_memory_bytes(recipe.machine.device)
    plan = recipe.plan
    thorough = Validation(
        bench.validation, bench.token_bytes, plan.context, plan.rows, stride=plan.context // 2
    )
    progress.say("Measuring on all of the validation text ...")
    score = _score(thorough, bench, recipe.loop)
    floors = measure_floors(
        corpus,
        bench.train,
        bench.validation,
        bench.tokenizer,
        bench.task,
        run / layout.FLOORS,
        progress,
    )
    result = {
        "run": str(run),
        "seconds": state.elapsed_s,
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s,
        "parameters": sum(weight.numel() for weight in bench.model.parameters()),
        "bits_per_byte": score.bits_per_byte._asdict(),
        "task": bench.task.name,
        "floors": floors,
        "forecast": recipe.forecast.plain(),
        "peak_bytes": peak_bytes,
        "tokenizer": measure(bench.tokenizer, corpus.texts("validation")),
        "report": str(run / layout.REPORT),
    }
    card = model_card(recipe, result, corpus)
    save_model(bench.model, run / layout.MODEL, tokenizer_folder=bench.tokenizer_folder, card=card)
    result["disk_bytes"] = sum(file.stat().st_size for file in run.rglob("*.safetensors"))
    write_json(run / layout.RESULT, result)
    write_report(run / layout.REPORT, corpus, run)
    return result


def _quick_validation(bench: Bench, plan: Plan) -> Validation:
    """A part of the validation text, small enough to measure often."""
    limit = 64 * plan.context
    return Validation(bench.validation, bench.token_bytes, plan.context, plan.rows, limit=limit)


def _view(bench: Bench, windows: Windows, seed: int) -> Windows:
    """Windows of text as the model's task learns from them."""
    return bench.task.view(windows, bench.tokenizer, seed)


def _score(validation: Validation, bench: Bench, loop: LoopConfig) -> Score:
    # The same words are hidden at every measurement, and in every run.
    view = _view(bench, validation, 0)
    return validation.score(bench.model, bench.task.losses, loop.device, loop.dtype, view)


def _disk_bytes(bench: Bench) -> int:
    """The checkpoints that are kept, with Muon's one moment and AdamW's two, and the model."""
    named = list(bench.model.named_parameters())
    weights = sum(w.numel() * w.element_size() for _, w in named)
    hidden = sum(w.numel() * w.element_size() for n, w in named if is_hidden_matrix(n, w))
    return KEPT * (weights + hidden + 2 * (weights - hidden)) + weights
