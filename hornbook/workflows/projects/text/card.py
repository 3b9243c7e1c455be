"""The card that goes with a model: what it is, what it learned from, what was measured."""

from typing import Any

from hornbook.corpus.corpus import Corpus
from hornbook.workflows.projects.text.request import TextRecipe

_TASKS = {
    "continue": ("text-generation", "It continues text; it has not been taught to answer."),
    "fill": ("fill-mask", "It fills in hidden words; it cannot continue text."),
}
"""What hubs call a task, and what a model of it does."""


def _size(parameters: dict[str, int]) -> str:
    """How many parameters, and what a token meets of them where that is less."""
    whole, met = parameters["all"], parameters["active"]
    return f"{whole:,} parameters" + (f", of which a token meets {met:,}" if met < whole else "")


def model_card(recipe: TextRecipe, result: dict[str, Any], corpus: Corpus) -> str:
    """Markdown with the front matter that model hubs read."""
    plan, bits, text = recipe.plan, result["bits_per_byte"], corpus.facts["split"]["train"]
    floors = "".join(f"| {name} | {value:.4f} |\n" for name, value in result["floors"].items())
    hub_task, does = _TASKS[result["task"]]
    scripts = ", ".join(f"{n} {s:.0%}" for n, s in list(corpus.facts["scripts"].items())[:3])
    return f"""---
library_name: transformers
pipeline_tag: {hub_task}
tags: [hornbook]
---
# A base model trained with Hornbook

{_size(result["parameters"])}: {plan.preset}, {plan.depth} blocks of width
{plan.width}, {result["tokenizer"]["vocabulary"]:,} tokens, context {plan.context}. {does}

Trained on {text["documents"]:,} documents, {text["bytes"]:,} bytes ({scripts}),
{result["tokens"]:,} tokens in {result["steps"]:,} steps, seed {recipe.request.seed},
{recipe.loop.dtype} products.

| on the held-out text | bits per byte |
|---|---|
| this model | {bits["value"]:.4f} ({bits["low"]:.4f} to {bits["high"]:.4f}) |
{floors}
Corpus {corpus.fingerprint}. It repeats what its text says, right or wrong; check what matters.
"""
