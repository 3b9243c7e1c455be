"""Tuning a decoder as a user means it: rows in, a measured model folder and a report out.

Calls the stages in order: rows, template, encoding, what the model does before, steps, tuning, what
it does after. Knows the other packages' front doors; computes nothing itself.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hornbook.adapt.method import Method, counts
from hornbook.adapt.peft import Base, base_of
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file, hash_json, read_json, write_json
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.machine import Machine, versions
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.models.causal_lm import CausalLM
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_model
from hornbook.models.place import resolve
from hornbook.tokenize.answers import with_template
from hornbook.tokenize.gguf import unpack_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.choices import Choice
from hornbook.train.loop import LoopConfig, gradient
from hornbook.train.optimiser import Optimiser
from hornbook.train.state import TrainState
from hornbook.workflows import run as layout
from hornbook.workflows.finetune_best import Best, EnoughTuned
from hornbook.workflows.finetune_goal import General, Goal, Scores, answers, preferences
from hornbook.workflows.finetune_result import Bench, Measures, finish
from hornbook.workflows.finetune_rows import encoded, general_text, rows_of
from hornbook.workflows.finetune_run import (
    EPOCHS,
    MOST_EPOCHS,
    SCHEDULE,
    FinetunePlan,
    FinetuneRecipe,
    FinetuneRequest,
    absolute,
    plan_of,
    task_of,
)
from hornbook.workflows.run import MOST_EVALUATIONS
from hornbook.workflows.settle import machine_for
from hornbook.workflows.training import Job, evaluation_steps, train_run

_LEAST_SHARE = 0.3
"""Of the minutes given, what is left for tuning however long the preparations took."""
_AFTERWARDS, _EVALUATING = 0.05, 0.25
"""Of the minutes given, what writing the model may take, and scoring the validation part."""


def finetune(
    model: Path,
    data: Sequence[Path],
    out: Path,
    *,
    task: str = "instruct",
    method: str = "lora",
    general: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """Tune the decoder of `model` on the rows of `data` into the run folder `out`.

    wishes: minutes, epochs, rate, context, seed, prompt, beta, dtype, device, as
    `FinetuneRequest` says. general: the text of the forgetting meter; Python's documentation if
    None. Returns the facts of result.json. A finished run of the same request is reused. Raises
    UsageError for what cannot be meant, HornbookError for rows of which nothing can be learned,
    Interrupted after Ctrl-C with a checkpoint written.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    place, base = resolve(model), base_of(model)
    values = {
        **{name: wish for name, wish in wishes.items() if wish is not None},
        "task": task_of(task),
        "method": Method.parse(method).plain(),
        "base": base.weights,
        "tokenizer": base.tokenizer,
        "data": [_hash(file) for file in data],
        "general": hash_json(general_text(general)),
    }
    if general is not None and _hash(general) in values["data"]:
        raise UsageError(f"--general {general} is what the model is tuned on; name another text.")
    request = FinetuneRequest.parse(values, "finetune")
    request.check()
    recipe = layout.previous(out, request, resume, FinetuneRecipe)
    if there := layout.finished(out, recipe, progress):
        return there
    machine = machine_for(recipe, request.device)
    bench, plan, choices = _prepare(place, base, data, general, out, request, machine, progress)
    loop = recipe.loop if recipe else _loop(plan, machine, request)
    request.method.apply(bench.model, request.seed)
    goal = _goal(bench, plan, loop, request)
    moved = counts(bench.model)
    progress.say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )
    dtype: torch.dtype = getattr(torch, loop.dtype)
    state = TrainState(bench.model, Optimiser(bench.model, plan.optimiser, dtype))
    before = _before(out, bench, goal, request, progress)
    if recipe is None:
        evaluations, why = _evaluations(request, before["seconds"]["validation"])
        steps, reason = _steps(bench, goal, loop, request, started, before["seconds"], evaluations)
        settled = [Choice("steps", steps, reason), Choice("evaluations", evaluations, why)]
        for choice in settled:
            progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
        choices += settled
        recipe = FinetuneRecipe(
            request=request,
            machine=machine,
            choices=choices,
            loop=loop.model_copy(update={"steps": steps}),
            versions=versions(),
            plan=plan,
            evaluations=evaluations,
            model=str(place.absolute()),
            files=absolute(data),
            general=str(general.absolute()) if general else None,
        )
        recipe.save(out)
    best = Best(out, evaluation_steps(recipe.loop.steps, recipe.evaluations))
    if resume and load_checkpoint(out / layout.CHECKPOINTS, state, progress.say):
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    stopped = _tune(out, recipe, bench.model, goal, state, best, progress)
    best.restore(state)
    measures = Measures(goal, bench.general, before, best.step, stopped)
    return finish(out, recipe, bench, state, measures, progress)


def resume_finetune(run: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Go on with the stopped run in `run`, which knows its own request and files."""
    recipe = FinetuneRecipe.load(run)
    asked = recipe.request.plain()
    for name in ("task", "method", "base", "tokenizer", "data", "general"):
        del asked[name]
    return finetune(
        Path(recipe.model),
        [Path(file) for file in recipe.files],
        run,
        task=recipe.request.task,
        method=str(recipe.request.method),
        general=Path(recipe.general) if recipe.general else None,
        resume=True,
        progress=progress,
        **asked,
    )


def _hash(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file} does not exist or is no file.")
    return hash_file(file)


def _prepare(
    place: Path,
    base: Base,
    data: Sequence[Path],
    general: Path | None,
    out: Path,
    request: FinetuneRequest,
    machine: Machine,
    progress: Progress,
) -> tuple[Bench, FinetunePlan, list[Choice]]:
    """Read, open, encode; what would fail after the tuning fails now."""
    model = load_model(place, machine.device, torch.float32)
    if not isinstance(model, CausalLM):
        raise UsageError(
            f"{place} holds no decoder. Classifiers are tuned with --task classify, "
            "encoder-decoders with `hornbook pretrain --pairs`."
        )
    to_hf(model.config)
    folder, said = _tokenizer_folder(place, base, out)
    tokenizer = Tokenizer.load(folder)
    held = rows_of(request, data, progress)
    if request.task != "continue":
        progress.say(f"  Template: {said}.")
    held, lengths, encode = encoded(request, held, tokenizer, model.config.context)
    if held.refused:
        progress.say(f"  Left out: {len(held.refused):,} rows; the first, {held.refused[0]}")
    plan, choices = plan_of(request, lengths, model.config.context, model.config.width)
    parts, long = encode(plan.context)
    if long:
        progress.say(f"  Left out: {long:,} samples of more than {plan.context} tokens.")
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    loop = _loop(plan, machine, request)
    window = min(model.config.context, 512)
    text = General(general_text(general), tokenizer, window, loop)
    bench = Bench(model, tokenizer, folder, base, held._replace(long=long), parts, text)
    return bench, plan, choices


def _tokenizer_folder(place: Path, base: Base, out: Path) -> tuple[Path, str]:
    """A folder with the base's tokenizer and a chat template, and which template it is."""
    folder = place
    if is_gguf(place):
        folder = out / layout.TOKENIZER
        inputs = {"stage": "gguf-tokenizer-1", "tokenizer": base.tokenizer}
        run_stage(
            folder, layout.PART, inputs, lambda aside: unpack_tokenizer(GGUFFile(place), aside)
        )
    return with_template(folder, out / layout.CHAT_TOKENIZER, layout.PART)


def _loop(plan: FinetunePlan, machine: Machine, request: FinetuneRequest) -> LoopConfig:
    return LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=SCHEDULE,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )


def _goal(bench: Bench, plan: FinetunePlan, loop: LoopConfig, request: FinetuneRequest) -> Goal:
    """What is minimised; the model as it is now is the reference of preferences."""
    if request.task == "preference":
        return preferences(bench.model, bench.parts, plan, loop, request, bench.tokenizer)
    return answers(bench.model, bench.parts, plan, loop, request.seed, bench.tokenizer)


def _before(
    out: Path, bench: Bench, goal: Goal, request: FinetuneRequest, progress: Progress
) -> dict[str, Any]:
    """What the model does before the first step: measured once, also when a run is resumed."""
    path = out / layout.BEFORE
    asked = hash_json(request.plain())  # one that was stopped before its recipe may lie there
    if not path.is_file() or read_json(path)["request"] != asked:
        started = time.perf_counter()
        validation = goal.before("validation").ratio().value
        once = time.perf_counter() - started
        found = {
            "request": asked,
            "test": goal.before("test")._asdict(),
            "general": bench.general.score(bench.model)._asdict(),
            "validation": validation,
        }
        seconds = {"validation": once, "all": time.perf_counter() - started}
        write_json(path, {**found, "seconds": seconds})
    facts: dict[str, Any] = read_json(path)
    test, general = Scores(**facts["test"]).ratio(), Scores(**facts["general"]).ratio()
    progress.say(
        f"Before: {test.value:.3f} {goal.unit} held out, {general.value:.4f} bits per byte of "
        "general text."
    )
    return facts


def _evaluations(request: FinetuneRequest, once: float) -> tuple[int, str]:
    """How often to score the validation part, which takes `once` seconds, and why."""
    if request.minutes is None:
        return MOST_EVALUATIONS, "spread over the steps"
    affordable = int(_EVALUATING * 60 * request.minutes / once)
    reason = f"at most; {once:.2f} s each, {_EVALUATING:.0%} of the minutes for all"
    return min(MOST_EVALUATIONS, max(1, affordable)), reason


def _steps(
    bench: Bench,
    goal: Goal,
    loop: LoopConfig,
    request: FinetuneRequest,
    started: float,
    seconds: dict[str, float],
    evaluations: int,
) -> tuple[int, str]:
    """How many steps, and why: as many passes as asked for, or as the minutes allow."""
    once = goal.batches.steps_per_epoch
    if request.minutes is None:
        epochs = request.epochs or EPOCHS
        return max(1, round(epochs * once)), f"{epochs:g} passes of {once} steps"
    step_s = _step_seconds(bench.model, goal, loop)
    given = request.minutes * 60
    left = given * (1 - _AFTERWARDS) - (time.perf_counter() - started)
    left -= seconds["all"] + evaluations * seconds["validation"]
    steps = max(1, int(max(left, _LEAST_SHARE * given) / (1.1 * step_s)))
    if steps > MOST_EPOCHS * once:
        return MOST_EPOCHS * once, f"{MOST_EPOCHS} passes, the most that minutes are spent on"
    return steps, f"{step_s:.2f} s a step; {steps / once:.1f} passes"


def _step_seconds(model: CausalLM, goal: Goal, loop: LoopConfig) -> float:
    """A step's time without its update; the weights stay as they are."""
    model.train()
    took = []
    for step in range(2):
        began = time.perf_counter()
        gradient(model, goal.objective, goal.batches.batch(step), loop)
        took.append(time.perf_counter() - began)
        model.zero_grad()
    return min(took)


def _tune(
    out: Path,
    recipe: FinetuneRecipe,
    model: CausalLM,
    goal: Goal,
    state: TrainState,
    best: Best,
    progress: Progress,
) -> bool:
    """The loop with validation; returns whether it ended early."""
    if best.loss is None:
        best.offer(state, read_json(out / layout.BEFORE)["validation"])

    def evaluate() -> dict[str, Any]:
        loss = goal.score(model, "validation").ratio().value
        kept = best.offer(state, loss)
        progress.say(
            f"  step {state.step:>5} of {recipe.loop.steps}: {loss:.4f} {goal.unit}"
            f"{', the best so far' if kept else ''}"
        )
        return {"loss": loss}

    job = Job(
        objective=goal.objective,
        batches=goal.batches,
        loop=recipe.loop,
        evaluate=evaluate,
        after_step=(best.check,),
        command="finetune",
        evaluations=recipe.evaluations,
    )
    try:
        train_run(out, state, job, progress)
    except EnoughTuned:
        progress.say(f"Stopped at step {state.step}: nothing better since step {best.step}.")
        return True
    return False
