"""Tuning a decoder as a user means it: rows in, a measured model folder and a report out.

Calls the stages in order: rows, template, encoding, what the model does before, steps, tuning, what
it does after. Knows the other packages' front doors; computes nothing itself.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hornbook.adapt.method import Method, parameter_counts
from hornbook.adapt.peft import Base, base_of
from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file, hash_json, read_json
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
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import Optimiser
from hornbook.train.schedule import last_step
from hornbook.train.state import TrainState
from hornbook.workflows.projects.answers.before import measure_on, measured_before, spent_of
from hornbook.workflows.projects.answers.best import Best, EnoughTuned
from hornbook.workflows.projects.answers.goal import General, Goal, answers, preferences
from hornbook.workflows.projects.answers.request import (
    EPOCHS,
    SCHEDULE,
    FinetunePlan,
    FinetuneRecipe,
    FinetuneRequest,
    absolute,
    plan_of,
    task_of,
)
from hornbook.workflows.projects.answers.result import Bench, Measures, finish
from hornbook.workflows.projects.answers.rows import encoded, general_text, rows_of
from hornbook.workflows.projects.answers.time import (
    EVALUATING,
    EXAMPLES,
    Spent,
    Step,
    evaluations_in_time,
    step_of,
    steps_in_time,
)
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import old
from hornbook.workflows.runs.loop import evaluation_steps
from hornbook.workflows.runs.old import Job, train_run
from hornbook.workflows.runs.settle import machine_for


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
    began: float | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """Tune the decoder of `model` on the rows of `data` into the run folder `out`.

    wishes: minutes, epochs, rate, context, seed, prompt, beta, dtype, device, as
    `FinetuneRequest` says. general: the text of the forgetting meter; Python's documentation if
    None. began: when the minutes began (time.monotonic), now if None. Returns the facts of
    result.json. A finished run of the same request is reused. Raises UsageError for what cannot be
    meant, HornbookError for rows of which nothing can be learned, Interrupted after Ctrl-C with a
    checkpoint written.
    """
    began = time.monotonic() if began is None else began
    progress = progress or Progress()
    place, base = resolve(model), base_of(model)
    request = _asked(base, data, general, task_of(task), Method.parse(method), wishes)
    clock = Clock.start(request.minutes, began)
    recipe = old.previous(out, request, resume, FinetuneRecipe)
    if there := old.finished(out, recipe, progress):
        return there
    progress.doing("opening the model and reading the rows")
    machine = machine_for(recipe.machine if recipe else None, request.device)
    bench, plan, choices = _prepare(place, base, data, general, out, request, machine, progress)
    plan = recipe.plan if recipe else plan  # steps may have been made smaller
    loop = recipe.loop if recipe else _loop(plan, machine, request)
    _apply(request, bench.model, progress)
    measure_on(out, bench, plan, loop, request, clock, progress)
    goal = _goal(bench, plan, loop, request)
    step: Step | None = None
    if recipe is None and clock.limited:
        step = step_of(bench.model, goal, plan, loop)
        plan = _in_time(plan, step, clock, choices, progress)
        loop = _loop(plan, machine, request)
        goal = _goal(bench, plan, loop, request)
    dtype: torch.dtype = getattr(torch, loop.dtype)
    state = TrainState(bench.model, Optimiser(bench.model, plan.optimiser, dtype))
    before = measured_before(out, bench, goal, request, progress)
    training = NO_LIMIT
    if recipe is None:
        spent = spent_of(out, before, state, clock)
        steps, evaluations, settled, training = _settled(
            request, goal, clock, spent, step and step.of(plan.rows)
        )
        for choice in settled:
            progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
        recipe = FinetuneRecipe(
            request=request,
            machine=machine,
            choices=[*choices, *settled],
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
        if request.minutes is not None and state.step:  # as steps took until now
            training = Clock.start(_remaining_seconds(state, recipe) / 60)
    stopped = _tune(out, recipe, bench.model, goal, state, best, training, progress)
    best.restore(state)
    measures = Measures(goal, bench.general, before, best.step, stopped)
    showing = None if request.minutes is None else EXAMPLES * request.minutes
    return finish(out, recipe, bench, state, measures, showing, progress)


def _asked(
    base: Base,
    data: Sequence[Path],
    general: Path | None,
    task: str,
    method: Method,
    wishes: dict[str, Any],
) -> FinetuneRequest:
    """The request; raises UsageError for what cannot be meant."""
    values = {
        **{name: wish for name, wish in wishes.items() if wish is not None},
        "task": task,
        "method": method.plain(),
        "base": base.weights,
        "tokenizer": base.tokenizer,
        "data": [_hash(file) for file in data],
        "general": hash_json(general_text(general)),
    }
    if general is not None and _hash(general) in values["data"]:
        raise UsageError(f"--general {general} is what the model is tuned on; name another text.")
    request = FinetuneRequest.parse(values, "finetune")
    request.check()
    return request


def _apply(request: FinetuneRequest, model: CausalLM, progress: Progress) -> None:
    request.method.apply(model, request.seed)
    moved = parameter_counts(model)
    progress.say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )


def _in_time(
    plan: FinetunePlan, step: Step, clock: Clock, choices: list[Choice], progress: Progress
) -> FinetunePlan:
    """The plan with as many rows a step that there is time for some steps."""
    rows = step.fitting(max(0.0, clock.left_s(1 - EVALUATING)))
    if rows >= plan.rows:
        return plan
    why = f"{plan.rows} would take {step.seconds:.1f} s a step"
    choices[:] = [choice for choice in choices if choice.name != "rows"]
    choices.append(Choice("rows", rows, why))
    progress.say(f"  rows = {rows}: {why}")
    return plan.model_copy(update={"rows": rows, "micro_rows": min(rows, plan.micro_rows)})


def _settled(
    request: FinetuneRequest, goal: Goal, clock: Clock, spent: Spent, step: Step | None
) -> tuple[int, int, list[Choice], Clock]:
    """How many steps and evaluations, why, and the clock of the training alone."""
    evaluations, why = evaluations_in_time(clock, spent)
    once = goal.batches.steps_per_epoch
    training = NO_LIMIT
    if step is None:
        epochs = request.epochs or EPOCHS
        steps, reason = max(1, round(epochs * once)), f"{epochs:g} passes of {once} steps"
    else:
        steps, reason, left_s = steps_in_time(clock, spent, step.seconds, evaluations, once)
        training = Clock.start(left_s / 60)
    choices = [Choice("steps", steps, reason), Choice("evaluations", evaluations, why)]
    return steps, evaluations, choices, training


def _remaining_seconds(state: TrainState, recipe: FinetuneRecipe) -> float:
    """Twice what the steps that are left took until now: evaluations come besides."""
    left = last_step(recipe.loop.steps, state.cuts) - state.step
    return 2 * left * state.elapsed_s / state.step


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


def _tune(
    out: Path,
    recipe: FinetuneRecipe,
    model: CausalLM,
    goal: Goal,
    state: TrainState,
    best: Best,
    clock: Clock,
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
        clock=clock,
    )
    try:
        train_run(out, state, job, progress)
    except EnoughTuned:
        progress.say(f"Stopped at step {state.step}: nothing better since step {best.step}.")
        return True
    return False
