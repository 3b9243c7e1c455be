"""Pretraining as a user means it: corpus in, a measured model folder and a report out.

Calls the stages in order: dial, tokenizer, shards, floors, rehearsal, forecast, training,
validation. Knows the other packages' front doors; computes nothing itself.
"""

from pathlib import Path
from typing import Any

import torch

from hornbook.core.clock import Clock
from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine, versions
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config, weights_fingerprint
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.place import resolve
from hornbook.models.presets import MASKED_PRESETS
from hornbook.tokenize.characters import frequent_characters
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train import optimiser, schedule
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.choices import Choice, Planned, replaced
from hornbook.train.dial import Plan, choose, probe_speed, sizes_of
from hornbook.train.forecast import Run
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import Optimiser, OptimiserConfig
from hornbook.train.precision import compile_layers
from hornbook.train.schedule import ScheduleConfig, last_step
from hornbook.train.state import TrainState
from hornbook.train.vocabulary import TextSize
from hornbook.workflows.projects.text.data import Bench, Inputs, described, prepare
from hornbook.workflows.projects.text.floors import measure_floors
from hornbook.workflows.projects.text.result import (
    finish,
    quick_validation,
    score,
    thorough_validation,
)
from hornbook.workflows.projects.text.tasks import check_task
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import lineage
from hornbook.workflows.runs.folder import PretrainRequest, Recipe
from hornbook.workflows.runs.loop import Job, train_run, training_clock
from hornbook.workflows.runs.settle import (
    Budget,
    announcement,
    machine_for,
    settle,
    smaller,
    step_in_time,
    threads_in_time,
)

_TRAINING = 0.9
"""Of what is left before the first step, training that is asked for tokens and has minutes too."""


def pretrain(
    inputs: Inputs,
    run: Path,
    request: PretrainRequest,
    resume: bool = False,
    progress: Progress | None = None,
    began: float | None = None,
    floors: Path | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Train a model of text on a corpus into the folder `run`; returns the facts of result.json.

    began: when the minutes began (time.monotonic); now if None. floors: a folder of them that runs
    on the same corpus share; the run's own if None. clock: of a run that is asked for tokens and
    has to be ready in a time as well; on a machine that is too slow it is cut.
    A finished run of the same request is reused. Raises UsageError for a folder that holds another
    run, Interrupted after Ctrl-C with a checkpoint written, Diverged with the checkpoint before it
    in place.
    """
    clock = clock or Clock.start(request.minutes, began)
    progress = progress or Progress()
    request.check()
    recipe = layout.previous(run, request, resume, Recipe)
    if there := layout.finished(run, recipe, progress):
        return there
    inputs.corpus.require("train", "validation")
    machine = machine_for(recipe, request.device)
    plan, choices = (recipe.plan, recipe.choices) if recipe else _plan(machine, inputs, request)
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    bench = prepare(inputs, run, plan, machine, request, progress)
    progress.say(described(bench))
    where = floors or run / layout.FLOORS
    known = measure_floors(inputs.corpus, bench, where, clock, progress)
    if recipe is None:
        planned = Planned(plan, choices)
        settled = _settle(request, run, machine, planned, bench, inputs.corpus, clock, progress)
        recipe = Recipe(request=request, **inputs.folders(), **settled)
        recipe.save(run)
        lineage.record(run, inputs.corpus.built or request.corpus, inputs.init)
        progress.say(*announcement(recipe, "targets"))
    elif recipe.compiled:
        compile_layers(bench.model.get_submodule("stack"))
    state = _fresh(bench, recipe.request, recipe.loop)
    if resume:
        # Without a checkpoint, from the beginning.
        load_checkpoint(run / layout.CHECKPOINTS, state, progress.say)
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    if request.tokens and clock.limited:
        training = clock.part(_TRAINING)
    else:
        training = training_clock(recipe, state, request.minutes is not None)
    _train(run, recipe, bench, state, inputs.corpus, training, progress)
    return finish(run, recipe, bench, state, inputs.corpus, known, clock, progress)


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
    there, longest, vocab = None, None, None
    if inputs.init:
        config = load_config(inputs.init)
        there, longest = sizes_of(config, to_hf(config)[0].model_type), config.context
    elif inputs.tokenizer:
        vocab = Tokenizer.load(inputs.tokenizer).vocab_size
    fixed = vocab or there or request.plan.vocab
    characters = 0 if fixed else frequent_characters(inputs.corpus.texts("train"))
    size = TextSize(inputs.corpus.mixture_bytes, characters)
    return choose(flops, machine, size, seconds, request.plan, there, longest, vocab)


def _seconds_for(tokens: int | None, flops: float) -> float:
    """A guess at the time `tokens` take, at 10 M weights: only the dial's shape depends on it."""
    assert tokens is not None
    return tokens * 6e7 / flops


def _settle(
    request: PretrainRequest,
    run: Path,
    machine: Machine,
    planned: Planned[Plan],
    bench: Bench,
    corpus: Corpus,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Rehearse, forecast, and fix the number of steps; returns what the recipe holds of it."""
    plan, choices = planned
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
    )
    rehearsed = _rehearsed(request, machine, plan, bench, corpus, loop)
    machine = threads_in_time(rehearsed, loop, machine, clock, progress)
    rows = step_in_time(rehearsed, loop, clock, bool(request.plan.rows), plan.rows)
    if rows < plan.rows:
        choices = replaced(choices, smaller("rows", rows, progress))
        plan = plan.model_copy(update={"rows": rows, "micro_rows": min(rows, plan.micro_rows)})
        loop = loop.model_copy(update={"micro_rows": plan.micro_rows})
        bench.batches = bench.batches.of(rows)
        rehearsed = _rehearsed(request, machine, plan, bench, corpus, loop)
    steps = -(-request.tokens // (plan.rows * plan.context)) if request.tokens else None
    budget = Budget(clock, steps, request.compiled)
    settled = settle(run, rehearsed, loop, budget, bench.batches.steps_per_epoch, progress)
    return {
        "machine": machine,
        "plan": plan,
        "choices": choices,
        "versions": versions(),
        **settled._asdict(),
    }


def _rehearsed(
    request: PretrainRequest,
    machine: Machine,
    plan: Plan,
    bench: Bench,
    corpus: Corpus,
    loop: LoopConfig,
) -> Run:
    """What is rehearsed: training, measuring, and a sample, which must not fail hours later."""
    quick = quick_validation(bench, plan)
    samples_of = bench.task.samples(corpus, bench.model)
    longer = thorough_validation(bench, plan).steps / quick.steps
    return Run(
        fresh=lambda: _fresh(bench, request, loop),
        objective=bench.task.objective,
        batches=bench.task.view(bench.batches, request.seed),
        measure="bits_per_byte",
        score=lambda: score(quick, bench, loop).bits_per_byte.value,
        machine=machine,
        sample=lambda: samples_of.sample(seed=0),
        ending=lambda score_s: longer * score_s,
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
    clock: Clock,
    progress: Progress,
) -> None:
    """The loop with its hooks: log, evaluate, sample, checkpoint, stop on request."""
    loop = recipe.loop
    quick = quick_validation(bench, recipe.plan)
    samples_of = bench.task.samples(corpus, bench.model)

    def evaluate() -> dict[str, Any]:
        found = score(quick, bench, loop)
        bits = found.bits_per_byte.value
        last = last_step(loop.steps, state.cuts)
        progress.say(f"  step {state.step:>6} of {last}: {bits:.4f} bits per byte")
        return {"bits_per_byte": bits, "nats_per_token": found.nats_per_token}

    def sample() -> dict[str, Any]:
        found = samples_of.sample(seed=state.step)
        progress.say(f"  sample: {found['prompt']}⁞{found['text']}")
        return found

    job = Job(
        objective=bench.task.objective,
        batches=bench.task.view(bench.batches, recipe.request.seed),
        loop=loop,
        evaluate=evaluate,
        sample=sample,
        evaluations=recipe.evaluations,
        samples=recipe.samples,
        clock=clock,
    )
    train_run(run, state, job, progress)
