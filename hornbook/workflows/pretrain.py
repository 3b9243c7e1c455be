"""Pretraining as a user means it: corpus in, a measured model folder and a report out.

Calls the stages in order: dial, tokenizer, shards, rehearsal, forecast, training, validation,
floors. Knows the other packages' front doors; computes nothing itself.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.core.files import write_json
from hornbook.core.machine import Machine, peak_memory_bytes, versions
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config, save_model, weights_fingerprint
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.place import resolve
from hornbook.models.presets import MASKED_PRESETS
from hornbook.tokenize.measure import measure
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train import optimiser, schedule
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.choices import Choice
from hornbook.train.dial import Plan, choose, probe_speed, sizes_of
from hornbook.train.forecast import Run
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import Optimiser, OptimiserConfig
from hornbook.train.precision import compile_layers
from hornbook.train.schedule import ScheduleConfig
from hornbook.train.state import TrainState
from hornbook.train.validation import Score, Validation
from hornbook.workflows import lineage
from hornbook.workflows import run as layout
from hornbook.workflows.floors import measure_floors
from hornbook.workflows.model_card import model_card
from hornbook.workflows.prepare import Bench, prepare
from hornbook.workflows.report.text import write_report
from hornbook.workflows.run import PretrainRequest, Recipe
from hornbook.workflows.settle import Budget, announcement, machine_for, settle
from hornbook.workflows.tasks import check_task
from hornbook.workflows.training import Job, train_run


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
    """Train a model of text on a corpus into the folder `run`; returns the facts of result.json.

    A finished run of the same request is reused. Raises UsageError for a folder that holds
    another run, Interrupted after Ctrl-C with a checkpoint written, Diverged with the checkpoint
    before it in place.
    """
    progress = progress or Progress()
    request.check()
    recipe = layout.previous(run, request, resume, Recipe)
    if there := layout.finished(run, recipe, progress):
        return there
    inputs.corpus.require("train", "validation")
    resumed = recipe is not None
    machine = machine_for(recipe, request.device)
    plan, choices = (recipe.plan, recipe.choices) if recipe else _plan(machine, inputs, request)
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    bench = prepare(
        *inputs, run, plan, machine, seed=request.seed, isolate=request.isolate, progress=progress
    )
    if recipe is None:
        recipe = _settle(run, request, machine, plan, choices, bench, inputs, progress)
        recipe.save(run)
        lineage.record(run, request.corpus, inputs.init)
        progress.say(*announcement(recipe, "targets"))
    elif recipe.compiled:
        compile_layers(bench.model.get_submodule("stack"))
    state = _fresh(bench, recipe.request, recipe.loop)
    if resumed:
        load_checkpoint(run / layout.CHECKPOINTS, state)  # without one, from the beginning
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    _train(run, recipe, bench, state, inputs.corpus, progress)
    return _finish(run, recipe, bench, state, inputs.corpus, progress)


def inputs_of(corpus: Path, tokenizer: Path | None = None, init: Path | None = None) -> Inputs:
    """Open what training reads; the tokenizer of a model to go on from comes with it.

    Raises UsageError for a model that neither continues text nor fills in words.
    """
    if init is None:
        return Inputs(Corpus.open(corpus), tokenizer)
    if tokenizer is not None:
        raise UsageError(f"--init {init} brings its own tokenizer; leave --tokenizer out.")
    folder = resolve(init)
    check_task(load_config(folder), folder)
    return Inputs(Corpus.open(corpus), folder, folder)


def request_of(inputs: Inputs, values: dict[str, Any]) -> PretrainRequest:
    """The request that plain `values` make on these inputs; raises UsageError.

    Going on from a model is gentler than beginning, as far as the values do not say how the weights
    move.
    """
    corpus, tokenizer, init = inputs
    rates, timing = _movement(init, values)
    known: dict[str, Any] = {
        "corpus": corpus.fingerprint,
        "tokenizer": Tokenizer.load(tokenizer).fingerprint if tokenizer else None,
        "init": weights_fingerprint(init) if init else None,
        "optimiser": over(rates, values.get("optimiser")),
        "schedule": over(timing, values.get("schedule")),
    }
    return PretrainRequest.parse({**values, **known}, "pretrain")


def _movement(init: Path | None, values: dict[str, Any]) -> tuple[OptimiserConfig, ScheduleConfig]:
    """How weights move where the user does not say it."""
    if init:
        masked = isinstance(load_config(init), MaskedLMConfig)
    else:
        masked = (values.get("plan") or {}).get("preset") in MASKED_PRESETS
    rates = optimiser.MASKED if masked else OptimiserConfig()
    timing = schedule.POST_NORM if masked else ScheduleConfig()
    return (rates.gentle() if init else rates), timing


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
    there, longest = None, None
    if inputs.init:
        config = load_config(inputs.init)
        there, longest = sizes_of(config, to_hf(config)[0].model_type), config.context
    size = inputs.corpus.mixture_bytes
    return choose(flops, machine, size, seconds, request.plan, there, longest)


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
        batches=bench.task.view(bench.batches, request.seed),
        measure="bits_per_byte",
        score=lambda: _score(quick, bench, loop).bits_per_byte.value,
        machine=machine,
    )
    steps = -(-request.tokens // (plan.rows * plan.context)) if request.tokens else None
    budget = Budget(started, request.minutes, steps, request.compiled)
    settled = settle(run, rehearsed, loop, budget, bench.batches.steps_per_epoch, progress)
    return Recipe(
        request=request,
        corpus_folder=str(inputs.corpus.folder.absolute()),
        tokenizer_folder=str(inputs.tokenizer.absolute()) if inputs.tokenizer else None,
        init_folder=str(inputs.init.absolute()) if inputs.init else None,
        machine=machine,
        plan=plan,
        choices=choices,
        versions=versions(),
        **settled._asdict(),
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
    samples_of = bench.task.samples(corpus, bench.model)

    def evaluate() -> dict[str, Any]:
        score = _score(quick, bench, loop)
        bits = score.bits_per_byte.value
        progress.say(f"  step {state.step:>6} of {loop.steps}: {bits:.4f} bits per byte")
        return {"bits_per_byte": bits, "nats_per_token": score.nats_per_token}

    def sample() -> dict[str, Any]:
        found = samples_of.sample(seed=state.step)
        progress.say(f"  sample: {found['prompt']}⁞{found['text']}")
        return found

    batches = bench.task.view(bench.batches, recipe.request.seed)
    train_run(run, state, Job(bench.task.objective, batches, loop, evaluate, sample), progress)


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
    result["disk_bytes"] = layout.weights_bytes(run)
    write_json(run / layout.RESULT, result)
    write_report(run / layout.REPORT, corpus, run)
    return result


def _quick_validation(bench: Bench, plan: Plan) -> Validation:
    """A part of the validation text, small enough to measure often."""
    limit = 64 * plan.context
    return Validation(bench.validation, bench.token_bytes, plan.context, plan.rows, limit=limit)


def _score(validation: Validation, bench: Bench, loop: LoopConfig) -> Score:
    # The same words are hidden at every measurement, and in every run.
    view = bench.task.view(validation, 0)
    return validation.score(bench.model, bench.task.losses, loop.device, loop.dtype, view)
