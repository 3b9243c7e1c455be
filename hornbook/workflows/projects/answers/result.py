"""What became of a tuning: measured beside what was before, written as adapter, model and card.

Knows the run folder and the measures; trains nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.adapt import lora
from hornbook.adapt.method import parameter_counts
from hornbook.adapt.peft import Base, save_adapter
from hornbook.core.clock import Clock
from hornbook.core.files import write_json
from hornbook.core.machine import describe, peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.core.stats import wilson
from hornbook.datasets.instructions import Messages
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import reply_to, stream
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import save_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.state import TrainState
from hornbook.workflows.projects.answers.goal import General, Goal, Parts, Scores
from hornbook.workflows.projects.answers.request import FinetuneRecipe
from hornbook.workflows.projects.answers.rows import Held
from hornbook.workflows.runs import folder as layout

_EXAMPLES = 5
_GREEDY = SamplingConfig(temperature=0.0, max_tokens=80)


@dataclass
class Bench:
    """All that is there before the first step."""

    model: CausalLM
    tokenizer: Tokenizer
    tokenizer_folder: Path
    base: Base
    held: Held
    parts: Parts
    general: General


class Measures(NamedTuple):
    """before: what `before.json` holds. best_step: of the weights that are kept.

    stopped: whether tuning ended before its last step.
    """

    goal: Goal
    general: General
    before: dict[str, Any]
    best_step: int
    stopped: bool


def finish(
    run: Path,
    recipe: FinetuneRecipe,
    bench: Bench,
    state: TrainState,
    measures: Measures,
    showing: float | None,
    progress: Progress,
) -> dict[str, Any]:
    """Write the adapter, fold it in, measure what is written, and write model, card and result.

    showing: minutes for answers to show; None for as long as they take.
    """
    model, request = bench.model, recipe.request
    moved = parameter_counts(model)
    peak = peak_memory_bytes(recipe.machine.device)
    if request.method.kind == "lora":
        card = f"A LoRA adapter for {bench.base.place}, made with Hornbook ({request.task}).\n"
        save_adapter(model, run / layout.ADAPTER, bench.base, card, layout.PART)
        lora.merge(model)
    model.eval()
    facts: dict[str, Any] = {
        "run": str(run),
        "task": request.task,
        "method": str(request.method),
        "base": bench.base.place,
        "parameters": {"trained": moved.trained, "all": moved.all},
        "data": bench.held.facts(),
        "steps": state.step,
        "best_step": measures.best_step,
        "stopped_early": measures.stopped,
        "tokens": state.tokens,
        "seconds": round(state.elapsed_s, 3),
        "peak_bytes": peak,
        **_measured(model, measures),
        "examples": _examples(bench, Clock.start(showing))
        if request.task not in ("continue", "preference")
        else [],
    }
    for line in _said(facts):
        progress.say(line)
    save_model(
        model,
        run / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=bench.tokenizer_folder,
        card=_card(recipe, bench, facts),
    )
    write_json(run / layout.RESULT, facts)
    return facts


def _measured(model: CausalLM, measures: Measures) -> dict[str, Any]:
    """held_out and general: before, after and the change, each with its 95 % interval."""
    then = measures.before
    pairs = {
        "held_out": (Scores(**then["test"]), measures.goal.score(model, "test")),
        "general": (Scores(**then["general"]), measures.general.score(model)),
    }
    units = {"held_out": measures.goal.unit, "general": "bits per byte"}
    found: dict[str, Any] = {}
    for name, (before, after) in pairs.items():
        found[name] = {
            "unit": units[name],
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
    if change["high"] >= 0:
        lines.append("  Warning: it is not sure that tuning helped; the interval holds zero.")
    if facts["best_step"] == 0:
        lines.append("  Warning: no step was better than none; these are the base's own weights.")
    return lines


_TURN = ["user", "assistant"]


def _examples(bench: Bench, clock: Clock) -> list[dict[str, str]]:
    """What the tuned model answers to held-out prompts, greedily, beside the reference.

    An answer ends where the time does; there is one at least.
    """
    found: list[dict[str, str]] = []
    for sample in bench.held.split.test[:_EXAMPLES]:
        if found and clock.left_s() < 0:
            break
        messages: Messages = sample.messages
        roles = [message["role"] for message in messages]
        at = next((i for i in range(1, len(roles)) if roles[i - 1 : i + 1] == _TURN), 0)
        if not at:
            continue
        asked = [{"role": m["role"], "content": m["content"]} for m in messages[:at]]
        ids, _ = bench.tokenizer.encode_chat(asked, add_generation_prompt=True)
        if len(ids) > bench.model.config.context // 2:
            continue
        answer, stop_ids = reply_to(bench.tokenizer, asked, bench.model.config.context)
        for _ in stream(bench.model, bench.tokenizer, answer, stop_ids, _GREEDY):
            if clock.left_s() < 0:
                break
        question, reference = asked[-1]["content"], messages[at]["content"]
        found.append({"question": question, "answer": answer.text, "reference": reference})
    return found


def _card(recipe: FinetuneRecipe, bench: Bench, facts: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    request, data = recipe.request, facts["data"]
    forms = ", ".join(f"{count:,} {form}" for form, count in data["forms"].items())
    held, general = facts["held_out"], facts["general"]
    rows = "".join(
        f"| {what} ({part['unit']}) | {_interval(part['before'])} | {_interval(part['after'])} | "
        f"{_interval(part['change'], '+')} |\n"
        for what, part in (("held-out rows", held), ("general text", general))
    )
    machine = describe(recipe.machine)
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [hornbook]
---
# A model tuned with Hornbook: {request.task}

Base: {bench.base.place} (weights {bench.base.weights}). Method {request.method}:
{facts["parameters"]["trained"]:,} of {facts["parameters"]["all"]:,} parameters moved, rate
{recipe.plan.optimiser.matrix_rate:g}, {facts["steps"]:,} steps of {recipe.plan.rows} rows of
{recipe.plan.context} tokens, the weights of step {facts["best_step"]} kept, seed {request.seed},
{recipe.loop.dtype} products on {machine["name"]}.

Data: {forms}; {data["train"]:,} rows trained on, {data["test"]:,} held out by prompt,
{data["rejected"]:,} rejected, {data["doubles"]:,} doubles and {data["too_long"]:,} too long left
out.

| measured, with 95 % intervals | before | after | change |
|---|---|---|---|
{rows}
It repeats what its rows say, right or wrong; check what matters.
"""


def _interval(found: dict[str, float], sign: str = "") -> str:
    value, low, high = (format(found[key], f"{sign}.4f") for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
