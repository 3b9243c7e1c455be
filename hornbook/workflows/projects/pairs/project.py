"""Translation as a user means it: pairs in, a measured model folder and a report out.

Calls the stages in order: pairs, dial, tokenizer, rehearsal, forecast, training, translation of the
test pairs, BLEU.
Knows the other packages' front doors; computes nothing itself.
"""

from pathlib import Path
from typing import Any

import torch

from hornbook.batches.translation import PairBatches, collate
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine, versions
from hornbook.core.progress import Progress
from hornbook.evaluate.bleu import require_bleu
from hornbook.models.convert import to_hf
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.characters import frequent_characters
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.choices import Choice, Planned, replaced
from hornbook.train.dial import probe_speed
from hornbook.train.forecast import Run
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import Optimiser
from hornbook.train.pair_dial import PairPlan, choose_pairs
from hornbook.train.schedule import last_step
from hornbook.train.state import TrainState
from hornbook.train.translation import next_target
from hornbook.train.vocabulary import TextSize
from hornbook.workflows.projects.pairs.data import (
    Split,
    encode,
    fitting,
    joint_tokenizer,
    read_split,
    text_bytes,
)
from hornbook.workflows.projects.pairs.request import (
    PairFiles,
    TranslationRecipe,
    TranslationRequest,
)
from hornbook.workflows.projects.pairs.result import (
    Bench,
    finish,
    score,
    translated,
    translation_seconds,
)
from hornbook.workflows.runs import folder as layout
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

_VALIDATION_ROWS = 64
_STEP_SECONDS = 0.5
"""A guess at a step's time: when steps are asked for, only the model's size depends on it."""


def train_translation(
    files: PairFiles,
    run: Path,
    request: TranslationRequest,
    resume: bool = False,
    progress: Progress | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Train a translator on pairs into the folder `run`; returns the facts of result.json.

    began: when the minutes began (time.monotonic); now if None. A finished run of the same request
    is reused. Raises UsageError for a folder that holds another run, Interrupted after Ctrl-C with
    a checkpoint written, Diverged with the checkpoint before it in place.
    """
    clock = Clock.start(request.minutes, began)
    progress = progress or Progress()
    request.check()
    require_bleu()
    recipe = layout.previous(run, request, resume, TranslationRecipe)
    if there := layout.finished(run, recipe, progress):
        return there
    machine = machine_for(recipe, request.device)
    splits = {
        name: read_split(name, paths, files.columns, progress)
        for name, paths in zip(files._fields[:3], files[:3], strict=True)
    }
    plan, choices = (recipe.plan, recipe.choices) if recipe else _plan(machine, splits, request)
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    bench = _prepare(splits, run, request, plan, machine, progress)
    if recipe is None:
        planned = Planned(plan, choices)
        settled = _settle(run, request, planned, machine, bench, clock, progress)
        recipe = TranslationRecipe(request=request, files=files.names(), **settled)
        recipe.save(run)
        progress.say(*announcement(recipe, "target tokens"))
    state = _fresh(bench, request, recipe.loop)
    if resume:
        # Without a checkpoint, from the beginning.
        load_checkpoint(run / layout.CHECKPOINTS, state, progress.say)
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    _train(run, recipe, bench, state, progress)
    return finish(run, recipe, bench, state, clock, progress)


def resume_translation(run: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Go on with the stopped run in `run`, which knows its own request and files."""
    recipe = TranslationRecipe.load(run)
    files = PairFiles.of(recipe.files, recipe.request.columns)
    if files.fingerprint() != recipe.request.pairs:
        raise UsageError(f"The pairs of {run} are no longer what they were; start a new run.")
    return train_translation(files, run, recipe.request, True, progress)


def _plan(
    machine: Machine, splits: dict[str, Split], request: TranslationRequest
) -> tuple[PairPlan, list[Choice]]:
    """Probe this machine and turn the dial."""
    seconds = request.minutes * 60 if request.minutes else (request.steps or 0) * _STEP_SECONDS
    pairs = splits["train"].pairs
    characters = frequent_characters(text for pair in pairs for text in pair)
    size = TextSize(text_bytes(pairs), characters)
    return choose_pairs(request.family, probe_speed(machine), size, seconds, request.plan)


def _prepare(
    splits: dict[str, Split],
    run: Path,
    request: TranslationRequest,
    plan: PairPlan,
    machine: Machine,
    progress: Progress,
) -> Bench:
    """Learn the tokenizer, encode, build; what would fail after training fails now."""
    train_pairs, fingerprint = splits["train"].pairs, request.pairs["train"]
    tokenizer = joint_tokenizer(
        train_pairs, fingerprint, run / layout.TOKENIZER, plan.vocab, progress, request.minutes
    )
    assert tokenizer.eos_id is not None
    config = plan.config(request.family, tokenizer.vocab_size)
    to_hf(config)
    test = encode(splits["test"].pairs, tokenizer)
    if (longest := max(len(pair.source) for pair in test) + 1) > plan.context:
        raise UsageError(f"A source of the test pairs has {longest} tokens; raise the context.")
    kept = {
        name: fitting(encode(splits[name].pairs, tokenizer), plan.context, name, progress)
        for name in ("train", "validation")
    }
    ends = (config.start, tokenizer.eos_id)
    held = kept["validation"]
    model = config.build(request.seed).to(machine.device)
    assert isinstance(model, Seq2Seq)
    progress.say(
        f"Model: {config.parameters():,} weights; vocabulary {config.vocab:,}, width "
        f"{config.width}, context {plan.context}."
    )
    return Bench(
        splits=splits,
        tokenizer=tokenizer,
        batches=PairBatches(kept["train"], plan.tokens, request.seed, *ends),
        validation=[
            collate(held[first : first + _VALIDATION_ROWS], *ends)
            for first in range(0, len(held), _VALIDATION_ROWS)
        ],
        model=model,
    )


def _settle(
    run: Path,
    request: TranslationRequest,
    planned: Planned[PairPlan],
    machine: Machine,
    bench: Bench,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Rehearse, forecast, and fix the number of steps; returns what the recipe holds of it."""
    plan, choices = planned
    loop = LoopConfig(
        steps=1,
        micro_rows=len(bench.batches.pairs),
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    rehearsed = Run(
        fresh=lambda: _fresh(bench, request, loop),
        objective=next_target(plan.smoothing),
        batches=bench.batches,
        measure="nats_per_token",
        score=lambda: score(bench, loop),
        machine=machine,
        uncompilable="every batch has a shape of its own",
        sample=lambda: _sample(bench, 0),
        ending=lambda score_s: score_s + translation_seconds(bench, request.beams),
    )
    machine = threads_in_time(rehearsed, loop, machine, clock, progress)
    tokens = step_in_time(rehearsed, loop, clock, bool(request.plan.tokens), plan.tokens)
    if tokens < plan.tokens:
        choices = replaced(choices, smaller("tokens", tokens, progress))
        plan = plan.model_copy(update={"tokens": tokens})
        bench.batches = bench.batches.of(tokens)
        rehearsed = rehearsed._replace(batches=bench.batches)
    budget = Budget(clock, request.steps, request.compiled)
    settled = settle(run, rehearsed, loop, budget, bench.batches.steps_per_epoch, progress)
    return {
        "machine": machine,
        "plan": plan,
        "choices": choices,
        "versions": versions(),
        **settled._asdict(),
    }


def _fresh(bench: Bench, request: TranslationRequest, loop: LoopConfig) -> TrainState:
    """The model with new weights, and an optimiser that has seen nothing."""
    bench.model.reset(request.seed)
    dtype: torch.dtype = getattr(torch, loop.dtype)
    state = TrainState(bench.model, Optimiser(bench.model, request.optimiser, dtype))
    hold_start(state)
    return state


@torch.no_grad()
def hold_start(state: TrainState) -> None:
    """Keep the vector before every target at zero, which is what Marian's decoders start from."""
    model = state.model
    assert isinstance(model, Seq2Seq)
    model.embedding.token.weight[model.config.start] = 0.0


def _train(
    run: Path,
    recipe: TranslationRecipe,
    bench: Bench,
    state: TrainState,
    progress: Progress,
) -> None:
    """The loop with validation and samples."""
    loop = recipe.loop

    def evaluate() -> dict[str, Any]:
        nats = score(bench, loop)
        last = last_step(loop.steps, state.cuts)
        progress.say(f"  step {state.step:>6} of {last}: {nats:.4f} nats a target")
        return {"nats_per_token": nats}

    def sample() -> dict[str, Any]:
        found = _sample(bench, state.step)
        progress.say(f"  sample: {found['source']} ⁞ {found['text']}")
        return found

    job = Job(
        objective=next_target(recipe.plan.smoothing),
        batches=bench.batches,
        loop=loop,
        evaluate=evaluate,
        sample=sample,
        after_step=(hold_start,),
        evaluations=recipe.evaluations,
        samples=recipe.samples,
        clock=training_clock(recipe, state, recipe.request.minutes is not None),
    )
    train_run(run, state, job, progress)


def _sample(bench: Bench, seed: int) -> dict[str, Any]:
    """What the model makes of one of the validation pairs."""
    held = bench.splits["validation"].pairs
    pair = held[seed % len(held)]
    text = translated(bench, [pair], beams=1)[0]
    return {"source": pair.source, "text": text, "target": pair.target}
