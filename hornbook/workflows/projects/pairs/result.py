"""What came of a translation run: the test pairs translated, BLEU, the model folder, its card.

Knows a trained model; trains nothing.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hornbook.batches.batch import IGNORE, PairBatch
from hornbook.batches.translation import PairBatches
from hornbook.core.clock import Clock
from hornbook.core.files import write_json, write_text
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.datasets.pairs import Pair
from hornbook.evaluate.bleu import bleu, bleu_by_length
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import translate
from hornbook.models.folder import save_model
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.forecast import timed
from hornbook.train.loop import LoopConfig
from hornbook.train.precision import product_type
from hornbook.train.state import TrainState
from hornbook.train.translation import target_losses
from hornbook.workflows.projects.pairs.data import Split
from hornbook.workflows.projects.pairs.request import TranslationRecipe
from hornbook.workflows.report.pairs import write_report
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.settle import measuring_seconds

_PROBED, _AT_ONCE = 16, 64
"""Test pairs translated to learn how long one takes, and between two looks at the clock."""


@dataclass
class Bench:
    """All that is built before the first step. validation: as batches to score."""

    splits: dict[str, Split]
    tokenizer: Tokenizer
    batches: PairBatches
    validation: list[PairBatch]
    model: Seq2Seq


def score(bench: Bench, loop: LoopConfig) -> float:
    """Nats a target of the validation pairs, nothing smoothed."""
    was_training, nats, count = bench.model.training, 0.0, 0
    bench.model.eval()
    for batch in bench.validation:
        with product_type(loop.device, loop.dtype):
            nats += float(target_losses(bench.model, batch.to(loop.device)).double().sum())
        count += int((batch.targets != IGNORE).sum())
    bench.model.train(was_training)
    return nats / count


def translated(bench: Bench, pairs: Sequence[Pair], beams: int) -> list[str]:
    """What the model makes of the sources, in float32 as everywhere outside training."""
    return _translated(bench, pairs, BeamConfig(beams=beams))


def _translated(bench: Bench, pairs: Sequence[Pair], config: BeamConfig) -> list[str]:
    was_training = bench.model.training
    bench.model.eval()
    sources = [pair.source for pair in pairs]
    found = translate(bench.model, bench.tokenizer, sources, config)
    bench.model.train(was_training)
    return [translation.text for translation in found]


def translation_seconds(bench: Bench, beams: int) -> float:
    """How long it will take to translate the test pairs, from a few of them.

    A model that has hardly learned does not end its targets: they are cut at the usual length.
    """
    test = bench.splits["test"].pairs
    few = test[:: max(1, len(test) // _PROBED)][:_PROBED]
    targets = bench.tokenizer.encode_batch([pair.target for pair in few])
    usual = 2 + max(1, sum(map(len, targets)) // len(few))
    config = BeamConfig(beams=beams, max_tokens=usual)
    return len(test) / len(few) * timed(lambda: _translated(bench, few, config))[1]


def _translated_in_time(
    bench: Bench, test: Sequence[Pair], beams: int, clock: Clock, progress: Progress
) -> tuple[list[Pair], list[str]]:
    """The test pairs that there was time for, evenly spread, and what the model made of them."""
    progress.say(f"Translating {len(test):,} test pairs ...")
    if not clock.limited:
        return list(test), translated(bench, test, beams)
    ends = Clock.start(measuring_seconds(clock) / 60)
    parts = max(1, len(test) // _AT_ONCE)
    done: dict[int, str] = {}
    with progress.bar("translating", len(test), "pairs") as advance:
        for part in range(parts):
            if part and ends.left_s() < ends.used_s() / part:
                break
            places = range(part, len(test), parts)
            done |= zip(places, translated(bench, [test[i] for i in places], beams), strict=True)
            advance(len(places))
    if len(done) < len(test):
        progress.say(f"  BLEU is of {len(done):,} of them, evenly spread: time is short.")
    return [test[i] for i in sorted(done)], [done[i] for i in sorted(done)]


def finish(
    run: Path,
    recipe: TranslationRecipe,
    bench: Bench,
    state: TrainState,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Translate the test pairs, measure, write it all out; returns the facts of result.json."""
    peak_bytes, request = peak_memory_bytes(recipe.machine.device), recipe.request
    began, all_pairs = time.monotonic(), bench.splits["test"].pairs
    test, outputs = _translated_in_time(bench, all_pairs, request.beams, clock, progress)
    took_s = time.monotonic() - began
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    found, parts = bleu(outputs, references), bleu_by_length(sources, outputs, references)
    result = {
        "run": str(run),
        "family": request.family,
        "seconds": state.elapsed_s,
        "steps": state.step,
        "shortened": [cut._asdict() for cut in state.cuts],
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "parameters": bench.model.config.parameters(),
        "vocabulary": bench.tokenizer.vocab_size,
        "pairs": {name: split.books() for name, split in bench.splits.items()},
        "nats_per_token": score(bench, recipe.loop),
        "bleu": {**found.score._asdict(), "signature": found.signature},
        "bleu_by_length": [part._asdict() for part in parts],
        "beams": request.beams,
        "translated": len(outputs),
        "translation_seconds": took_s,
        "forecast": recipe.forecast.plain(),
        "peak_bytes": peak_bytes,
        "report": str(run / layout.REPORT),
    }
    _write_outputs(run / layout.OUTPUTS, sources, outputs, references)
    search = {"num_beams": request.beams, "max_length": recipe.plan.context}
    save_model(
        bench.model,
        run / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=run / layout.TOKENIZER,
        card=_card(recipe, result),
        generation=search,
    )
    result["disk_bytes"] = layout.weights_bytes(run)
    write_json(run / layout.RESULT, result)
    write_report(run / layout.REPORT, run)
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


def _card(recipe: TranslationRecipe, result: dict[str, Any]) -> str:
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

{result["parameters"]:,} parameters: {recipe.request.family}, {plan.depth} + {plan.depth} blocks of
width {plan.width}, {result["vocabulary"]:,} tokens for both sides, context {plan.context}.

Trained on {result["pairs"]["train"]["kept"]:,} pairs, {result["tokens"]:,} target tokens in
{result["steps"]:,} steps, seed {recipe.request.seed}, {recipe.loop.dtype} products.

BLEU of {result["translated"]:,} test pairs, {result["beams"]} beams:
{found["value"]:.2f} ({found["low"]:.2f} to {found["high"]:.2f}), {found["signature"]}.

| words of the source | sentences | BLEU |
|---|---|---|
{lengths}
It translates one sentence at a time, and makes mistakes; check what matters.
"""
