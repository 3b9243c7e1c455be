"""What became of a tuning: measured beside what was before, written as adapter, model and card."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hornbook.adapt import lora
from hornbook.adapt.peft import save_adapter
from hornbook.core.clock import Clock
from hornbook.core.machine import describe
from hornbook.core.stats import wilson
from hornbook.datasets.instructions import Messages
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import reply_to, stream
from hornbook.models.folder import save_model
from hornbook.workflows.projects.answers.problem import AnswersProblem
from hornbook.workflows.projects.answers.request import AnswersRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.timed import EXAMPLES
from hornbook.workflows.runs.tuning import doubt

_EXAMPLES = 5
_GREEDY = SamplingConfig(temperature=0.0, max_tokens=80)


class Further(NamedTuple):
    """What a task finds out besides: facts of the result, and lines for people and for the card."""

    facts: dict[str, Any]
    lines: list[str]


def finish(
    recipe: AnswersRecipe,
    problem: AnswersProblem,
    trained: Trained,
    facts: dict[str, Any],
    place: Place,
    further: Callable[[], Further] = lambda: Further({}, []),
) -> dict[str, Any]:
    """Write the adapter, fold it in, measure what is written, write it and its card; returns the
    facts of result.json. further: measured last, of the model as it is written."""
    model, source, request = problem.model, problem.source, recipe.request
    if request.method.kind == "lora":
        card = f"A LoRA adapter for {source.base.place}, made with Hornbook ({request.task}).\n"
        save_adapter(model, place.folder / layout.ADAPTER, source.base, card, layout.PART)
        lora.merge(model)
    model.eval()
    clock = place.clock
    result = {
        **facts,
        "task": request.task,
        "method": str(request.method),
        "base": source.base.place,
        "data": source.data.facts(recipe.plan.context),
        "best_step": trained.best_step,
        "stopped_early": trained.stopped,
        "tokens": trained.state.tokens,
        **_measured(problem),
        "examples": _examples(problem, Clock.start(clock.minutes and EXAMPLES * clock.minutes))
        if request.task not in ("continue", "preference")
        else [],
    }
    place.progress.say(*_said(result))
    more = further()
    result |= more.facts
    place.progress.say(*more.lines)
    save_model(
        model,
        place.folder / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=source.tokenizer_folder,
        card=_card(recipe, result, source.base.weights, more.lines),
    )
    return result


def _measured(problem: AnswersProblem) -> dict[str, Any]:
    """held_out and general: before, after and the change, each with its 95 % interval over the
    items that there was time to score."""
    goal, then = problem.goal, problem.before
    found: dict[str, Any] = {}
    for name, unit, before, after in (
        ("held_out", goal.unit, then.test, problem.tested()),
        ("general", "bits per byte", then.general, problem.general.score(problem.model)),
    ):
        found[name] = {
            "unit": unit,
            "items": len(after.sums),
            "before": before.ratio()._asdict(),
            "after": after.ratio()._asdict(),
            "change": after.change(before)._asdict(),
        }
        if after.right is not None:
            share = wilson(sum(after.right), len(after.right))
            found[name]["chosen_preferred"] = share._asdict()
    return found


def _said(facts: dict[str, Any]) -> list[str]:
    """The measures for people; the forgetting meter always among them."""
    held, general = facts["held_out"], facts["general"]
    change, lost = held["change"], general["change"]
    lines = [
        f"Held out: {held['before']['value']:.3f} to {held['after']['value']:.3f} {held['unit']}, "
        f"{change['value']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f}).",
        f"Forgetting: {general['before']['value']:.4f} to {general['after']['value']:.4f} bits per "
        f"byte of general text, {lost['value']:+.4f} ({lost['low']:+.4f} to {lost['high']:+.4f}).",
    ]
    if (share := held.get("chosen_preferred")) is not None:
        lines.append(
            f"Of held-out pairs the chosen answer gained in {share['value']:.1%} "
            f"({share['low']:.1%} to {share['high']:.1%})."
        )
    lines += doubt(change)
    if facts["best_step"] == 0:
        lines.append("  Warning: no step was better than none; these are the base's own weights.")
    return lines


_TURN = ["user", "assistant"]


def _examples(problem: AnswersProblem, clock: Clock) -> list[dict[str, str]]:
    """What the tuned model answers to held-out prompts, greedily, beside the reference.

    An answer ends where the time does; there is one at least.
    """
    found: list[dict[str, str]] = []
    model, tokenizer = problem.model, problem.source.tokenizer
    for sample in problem.source.data.split.test[:_EXAMPLES]:
        if found and clock.left_s() < 0:
            break
        messages: Messages = sample.messages
        roles = [message["role"] for message in messages]
        at = next((i for i in range(1, len(roles)) if roles[i - 1 : i + 1] == _TURN), 0)
        if not at:
            continue
        asked = [{"role": m["role"], "content": m["content"]} for m in messages[:at]]
        ids, _ = tokenizer.encode_chat(asked, add_generation_prompt=True)
        if len(ids) > model.config.context // 2:
            continue
        answer, stop_ids = reply_to(tokenizer, asked, model.config.context)
        for _ in stream(model, tokenizer, answer, stop_ids, _GREEDY):
            if clock.left_s() < 0:
                break
        question, reference = asked[-1]["content"], messages[at]["content"]
        found.append({"question": question, "answer": answer.text, "reference": reference})
    return found


def _card(recipe: AnswersRecipe, facts: dict[str, Any], weights: str, lines: Sequence[str]) -> str:
    """Markdown with the front matter that model hubs read."""
    request, data = recipe.request, facts["data"]
    forms = ", ".join(f"{count:,} {form}" for form, count in data["forms"].items())
    held, general = facts["held_out"], facts["general"]
    rows = "".join(
        f"| {what} ({part['unit']}) | {_interval(part['before'])} | {_interval(part['after'])} | "
        f"{_interval(part['change'], '+')} |\n"
        for what, part in (("held-out rows", held), ("general text", general))
    )
    machine, beside = describe(recipe.machine), "".join(f"{line.strip()}\n\n" for line in lines)
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [hornbook]
---
# A model tuned with Hornbook: {request.task}

Base: {facts["base"]} (weights {weights}). Method {request.method}:
{facts["parameters"]["trained"]:,} of {facts["parameters"]["all"]:,} parameters moved, rate
{recipe.plan.optimiser.matrix_rate:g}, {facts["steps"]:,} steps of {recipe.plan.rows} rows of
{recipe.plan.context} tokens, the weights of step {facts["best_step"]} kept, seed {request.seed},
{recipe.loop.dtype} products on {machine["name"]}.

Data: {forms}; {data["train"]:,} rows trained on, {data["test"]:,} held out by prompt,
{data["rejected"]:,} rejected, {data["doubles"]:,} duplicates and {data["too_long"]:,} too long left
out.

| measured, with 95 % intervals | before | after | change |
|---|---|---|---|
{rows}
{beside}It repeats what its rows say, right or wrong; check what matters.
"""


def _interval(found: dict[str, float], sign: str = "") -> str:
    value, low, high = (format(found[key], f"{sign}.4f") for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
