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
from hornbook.core.files import write_json, write_text
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.corpus.pairs import Pair
from hornbook.evaluate.bleu import bleu, bleu_by_length
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import translate
from hornbook.models.folder import save_model
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.loop import LoopConfig
from hornbook.train.precision import product_type
from hornbook.train.state import TrainState
from hornbook.train.translation import target_losses
from hornbook.workflows import run as layout
from hornbook.workflows.report.pairs import write_report
from hornbook.workflows.translation_data import Split
from hornbook.workflows.translation_run import TranslationRecipe


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
    was_training = bench.model.training
    bench.model.eval()
    sources = [pair.source for pair in pairs]
    found = translate(bench.model, bench.tokenizer, sources, BeamConfig(beams=beams))
    bench.model.train(was_training)
    return [translation.text for translation in found]


def finish(
    run: Path, recipe: TranslationRecipe, bench: Bench, state: TrainState, progress: Progress
) -> dict[str, Any]:
    """Translate the test pairs, measure, write it all out; returns the facts of result.json."""
    peak_bytes, test = peak_memory_bytes(recipe.machine.device), bench.splits["test"].pairs
    progress.say(f"Translating {len(test):,} test pairs ...")
    began, request = time.perf_counter(), recipe.request
    outputs = translated(bench, test, request.beams)
    took_s = time.perf_counter() - began
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    found, parts = bleu(outputs, references), bleu_by_length(sources, outputs, references)
    result = {
        "run": str(run),
        "family": request.family,
        "seconds": state.elapsed_s,
        "steps": state.step,
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s,
        "parameters": bench.model.config.parameters(),
        "pairs": {name: split.books() for name, split in bench.splits.items()},
        "nats_per_token": score(bench, recipe.loop),
        "bleu": {**found.score._asdict(), "signature": found.signature},
        "bleu_by_length": [part._asdict() for part in parts],
        "beams": request.beams,
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
width {plan.width}, {plan.vocab:,} tokens for both sides, context {plan.context}.

Trained on {result["pairs"]["train"]["kept"]:,} pairs, {result["tokens"]:,} target tokens in
{result["steps"]:,} steps, seed {recipe.request.seed}, {recipe.loop.dtype} products.

BLEU of {result["pairs"]["test"]["kept"]:,} test pairs, {result["beams"]} beams:
{found["value"]:.2f} ({found["low"]:.2f} to {found["high"]:.2f}), {found["signature"]}.

| words of the source | sentences | BLEU |
|---|---|---|
{lengths}
It translates one sentence at a time, and makes mistakes; check what matters.
"""
