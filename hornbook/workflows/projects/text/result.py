"""What came of pretraining on text: its bits per byte beside the floors, the model, the report.

Knows a trained model; trains nothing.
"""

from pathlib import Path
from typing import Any

from hornbook.core.clock import Clock
from hornbook.core.files import write_json
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.models.folder import save_model
from hornbook.tokenize.measure import measure
from hornbook.train.dial import Plan
from hornbook.train.forecast import timed
from hornbook.train.loop import LoopConfig
from hornbook.train.state import TrainState
from hornbook.train.validation import Score, Validation
from hornbook.workflows.projects.text.data import Bench
from hornbook.workflows.report.text import write_report
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.card import model_card
from hornbook.workflows.runs.folder import Recipe
from hornbook.workflows.runs.settle import measuring_seconds

_QUICK = 64
"""Windows that are measured often."""


def finish(
    run: Path,
    recipe: Recipe,
    bench: Bench,
    state: TrainState,
    corpus: Corpus,
    floors: dict[str, float],
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Measure the trained model on the validation text and write it out; returns its facts."""
    peak_bytes = peak_memory_bytes(recipe.machine.device)
    found = _measured(recipe, bench, clock, progress)
    result = {
        "run": str(run),
        "seconds": state.elapsed_s,
        "steps": state.step,
        "shortened": [cut._asdict() for cut in state.cuts],
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "parameters": sum(weight.numel() for weight in bench.model.parameters()),
        "bits_per_byte": found.bits_per_byte._asdict(),
        "measured_tokens": found.tokens,
        "task": bench.task.name,
        "floors": floors,
        "forecast": recipe.forecast.plain(),
        "peak_bytes": peak_bytes,
        "tokenizer": measure(bench.tokenizer, corpus.texts("validation")),
        "report": str(run / layout.REPORT),
    }
    card = model_card(recipe, result, corpus)
    save_model(
        bench.model,
        run / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=bench.tokenizer_folder,
        card=card,
    )
    result["disk_bytes"] = layout.weights_bytes(run)
    write_json(run / layout.RESULT, result)
    write_report(run / layout.REPORT, corpus, run)
    return result


def _measured(recipe: Recipe, bench: Bench, clock: Clock, progress: Progress) -> Score:
    """On all of the validation text, or on as much of it as there is time for."""
    plan, tokens, limit = recipe.plan, bench.validation.tokens, None
    thorough = thorough_validation(bench, plan)
    if clock.limited:
        quick = quick_validation(bench, plan)
        quick_s = timed(lambda: score(quick, bench, recipe.loop))[1]
        expected_s = quick_s * thorough.steps / quick.steps
        share = measuring_seconds(clock) / max(expected_s, 1e-9)
        if share < 1:
            limit = max(_QUICK * plan.context, int(share * tokens))
    if limit is None or limit >= tokens:
        progress.say("Measuring on all of the validation text ...")
    else:
        progress.say(f"Measuring on {limit:,} of {tokens:,} validation tokens: time is short ...")
        thorough = thorough_validation(bench, plan, limit)
    return score(thorough, bench, recipe.loop)


def quick_validation(bench: Bench, plan: Plan) -> Validation:
    """A part of the validation text, small enough to measure often."""
    limit = _QUICK * plan.context
    return Validation(bench.validation, bench.token_bytes, plan.context, plan.rows, limit=limit)


def thorough_validation(bench: Bench, plan: Plan, limit: int | None = None) -> Validation:
    """All of the validation text, or a limited part of it, with half a window of context each."""
    stride = max(1, plan.context // 2)
    return Validation(bench.validation, bench.token_bytes, plan.context, plan.rows, stride, limit)


def score(validation: Validation, bench: Bench, loop: LoopConfig) -> Score:
    """Measure the model as it is now."""
    # The same words are hidden at every measurement, and in every run.
    view = bench.task.view(validation, 0)
    return validation.score(bench.model, bench.task.losses, loop.device, loop.dtype, view)
