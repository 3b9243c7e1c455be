"""What came of a translation run: the test pairs translated, BLEU, the model folder, its card."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.clock import Clock
from hornbook.core.files import write_text
from hornbook.datasets.pairs import Pair
from hornbook.evaluate.bleu import bleu, bleu_by_length
from hornbook.generate.beam import BeamConfig
from hornbook.models.folder import save_model
from hornbook.training.state import TrainState
from hornbook.workflows.projects.pairs.problem import PairsProblem
from hornbook.workflows.projects.pairs.request import PairsRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import measuring_seconds

_AT_ONCE = 64
"""Test pairs translated between two looks at the clock."""


def _translated_in_time(
    problem: PairsProblem, test: Sequence[Pair], config: BeamConfig, place: Place
) -> tuple[list[Pair], list[str]]:
    """The test pairs that there was time for, evenly spread, and what the model made of them."""
    place.progress.say(f"Translating {len(test):,} test pairs ...")
    if not place.clock.limited:
        return list(test), problem.translated(test, config)
    ends = Clock.start(measuring_seconds(place.clock) / 60)
    parts = max(1, len(test) // _AT_ONCE)
    done: dict[int, str] = {}
    with place.progress.bar("translating", len(test), "pairs") as advance:
        for part in range(parts):
            if part and ends.left_s() < ends.used_s() / part:
                break
            places = range(part, len(test), parts)
            texts = problem.translated([test[i] for i in places], config)
            done |= zip(places, texts, strict=True)
            advance(len(places))
    if len(done) < len(test):
        place.progress.say(f"  BLEU is of {len(done):,} of them, evenly spread: time is short.")
    return [test[i] for i in sorted(done)], [done[i] for i in sorted(done)]


def finish(
    recipe: PairsRecipe,
    problem: PairsProblem,
    state: TrainState,
    facts: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """Translate the test pairs, measure, write the model out; returns the facts of result.json."""
    request, run = recipe.request, place.folder
    began, all_pairs = time.monotonic(), problem.splits["test"].pairs
    config = BeamConfig(beams=request.beams)
    test, outputs = _translated_in_time(problem, all_pairs, config, place)
    took_s = time.monotonic() - began
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    found, parts = bleu(outputs, references), bleu_by_length(sources, outputs, references)
    result = {
        **facts,
        "family": request.family,
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "vocabulary": problem.tokenizer.vocab_size,
        "pairs": {name: split.books() for name, split in problem.splits.items()},
        **problem.score(),
        "bleu": {**found.score._asdict(), "signature": found.signature},
        "bleu_by_length": [part._asdict() for part in parts],
        "beams": request.beams,
        "translated": len(outputs),
        "translation_seconds": took_s,
    }
    _write_outputs(run / layout.OUTPUTS, sources, outputs, references)
    save_model(
        problem.model,
        run / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=run / layout.TOKENIZER,
        card=_card(recipe, result),
        generation={"num_beams": request.beams, "max_length": recipe.plan.context},
    )
    return result


def _write_outputs(
    path: Path, sources: Sequence[str], outputs: Sequence[str], references: Sequence[str]
) -> None:
    """One row a test pair."""
    rows = (
        {"source": source, "text": text, "target": target}
        for source, text, target in zip(sources, outputs, references, strict=True)
    )
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _card(recipe: PairsRecipe, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    plan, found = recipe.plan, result["bleu"]
    lengths = "".join(
        f"| {part['least']} to {part['most']} | {part['sentences']} | {part['bleu']:.1f} |\n"
        for part in result["bleu_by_length"]
    )
    return f"""---
library_name: transformers
pipeline_tag: translation
tags: [hornbook]
---
# A translator trained with Hornbook

{result["parameters"]["all"]:,} parameters: {recipe.request.family}, {plan.depth} + {plan.depth}
blocks of width {plan.width}, {result["vocabulary"]:,} tokens for both sides, context
{plan.context}.

Trained on {result["pairs"]["train"]["kept"]:,} pairs, {result["tokens"]:,} target tokens in
{result["steps"]:,} steps, seed {recipe.request.seed}, {recipe.loop.dtype} products.

BLEU of {result["translated"]:,} test pairs, {result["beams"]} beams:
{found["value"]:.2f} ({found["low"]:.2f} to {found["high"]:.2f}), {found["signature"]}.

| words of the source | sentences | BLEU |
|---|---|---|
{lengths}
It translates one sentence at a time, and makes mistakes; check what matters.
"""
