"""What became of an encoder tuned on questions: measured beside what was before, and written."""

from pathlib import Path
from typing import Any

from hornbook.adapt import lora
from hornbook.core.files import read_json
from hornbook.core.machine import describe
from hornbook.models.folder import save_model
from hornbook.models.prompts import SETTINGS
from hornbook.workflows.open.quick_encoder import POOLING
from hornbook.workflows.projects.questions.problem import QuestionsProblem, Ranks, estimate
from hornbook.workflows.projects.questions.request import QuestionsRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.tuning import doubt

_BESIDE = (SETTINGS, "modules.json", "sentence_bert_config.json", str(POOLING))
"""What sentence-transformers keeps in a model's folder; it stays as it was."""

_CARDS = {
    "embed": ("An encoder", "sentence-similarity"),
    "rerank": ("A cross-encoder", "text-ranking"),
}


def finish(
    base: Path,
    recipe: QuestionsRecipe,
    problem: QuestionsProblem,
    trained: Trained,
    facts: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """Measure on the held-out questions, write the model and its card; returns the facts of
    result.json."""
    if recipe.request.method.kind == "lora":
        lora.merge(problem.model)
    problem.settle()
    after = problem.ranked("test")
    result = {
        **facts,
        "task": recipe.request.task,
        "method": str(recipe.request.method),
        "base": str(base),
        "data": problem.parts.books(),
        "best_step": trained.best_step,
        "stopped_early": trained.stopped,
        "held_out": _compared(problem.before, after),
        **problem.facts(),
    }
    place.progress.say(*_said(result))
    beside = problem.beside()
    if recipe.request.task == "embed":
        beside |= {name: read_json(base / name) for name in _BESIDE if (base / name).is_file()}
    folder = place.folder / layout.MODEL
    save_model(
        problem.model.eval(),
        folder,
        claim=layout.PART,
        tokenizer_folder=base,
        card=_card(recipe, result),
        beside=beside,
    )
    return result


def _compared(before: Ranks, after: Ranks) -> dict[str, Any]:
    """Of each figure what it was, what it is, and the paired difference with its interval."""
    then, now = before.figures(), after.figures()
    measured = {
        name: {
            "before": estimate(then[name])._asdict(),
            "after": estimate(now[name])._asdict(),
            "change": estimate(now[name] - then[name])._asdict(),
        }
        for name in now
    }
    return {"questions": len(after.ranks), "passages": after.pool, **measured}


def _said(result: dict[str, Any]) -> list[str]:
    held = result["held_out"]
    found, change = held["mrr@10"], held["mrr@10"]["change"]
    lines = [
        f"Held out: MRR@10 {found['before']['value']:.3f} to {found['after']['value']:.3f}, "
        f"{change['value']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f}); "
        f"{held['questions']:,} questions, {held['passages']:,} passages."
    ]
    lines += doubt(change, lower_is_better=False)
    lines += _counting(result.get("counts"))
    if result["best_step"] == 0:
        lines.append("  Warning: no step was better than none; these are the base's own weights.")
    return lines


def _counting(counts: dict[str, Any] | None) -> list[str]:
    """How much a cross-encoder counts beside each way of searching."""
    if counts is None:
        return []
    lines = [
        f"It reads the first {counts['read']} passages and counts {weight:g} beside a search by "
        f"{way}."
        for way, weight in counts["by"].items()
        if weight
    ]
    nothing = " and ".join(way for way, weight in counts["by"].items() if not weight)
    if nothing:
        lines.append(
            f"  Warning: it counts nothing beside a search by {nothing}: on the validation part it "
            "made none better by more than its standard error. --rerank leaves that order as it is."
        )
    return lines


def _card(recipe: QuestionsRecipe, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    held, machine = result["held_out"], describe(recipe.machine)["name"]
    rows = "".join(
        f"| {name} | {held[name]['before']['value']:.4f} | {held[name]['after']['value']:.4f} | "
        f"{held[name]['change']['value']:+.4f} ({held[name]['change']['low']:+.4f} to "
        f"{held[name]['change']['high']:+.4f}) |\n"
        for name in ("mrr@10", "hit@1", "hit@5")
    )
    kind, tag = _CARDS[recipe.request.task]
    return f"""---
library_name: sentence-transformers
pipeline_tag: {tag}
tags: [hornbook]
---
# {kind} tuned with Hornbook on questions and passages

Base: {result["base"]}. Method {result["method"]}: {result["parameters"]["trained"]:,} of
{result["parameters"]["all"]:,} parameters moved, rate {recipe.plan.optimiser.matrix_rate:g},
{result["steps"]:,} steps of {recipe.plan.rows} questions, the weights of step {result["best_step"]}
kept, seed {recipe.request.seed}, {recipe.loop.dtype} products on {machine}.

{result["data"]["train"]:,} pairs trained on. {held["questions"]:,} questions held out, the right
one of {held["passages"]:,} passages to be found:

| measured, with 95 % intervals | before | after | change |
|---|---|---|---|
{rows}"""
