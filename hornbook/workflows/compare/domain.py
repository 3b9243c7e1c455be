"""Does text of the domain beat general text? Three models of one size and the same tokens.

One learns from domain text, one from general text, one from general text first and domain text
then; each is scored on held-out text of both, with paired intervals.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.clock import Clock
from hornbook.core.files import write_json
from hornbook.core.folders import entering
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.core.stats import bootstrap_ratio
from hornbook.corpus.build import build, places_of
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.subset import CorpusSubset
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.training.validation import Validation
from hornbook.workflows.curate.encode import prepare_shards
from hornbook.workflows.projects.text.problem import token_bytes
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.projects.text.tasks import task_of
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.folder import RESULT
from hornbook.workflows.runs.recipe import LEAST_MINUTES
from hornbook.workflows.runs.run import run as train_project

SIDES = ("domain", "general")
_VOCABULARY = 8192
_SAMPLE = 16 * 2**20
"""Bytes of each side that the tokenizer is shown, so that neither is favoured."""
_ROWS = 16
_FIRST, _PREPARING = 0.24, 0.1
"""Of the minutes, what the first of three lengths of training is given (all three learn as many
tokens), and what reading may take before it has less."""
_SHARES = {"domain": 0.46, "general_half": 0.46, "general_then_domain": 0.92}
"""Of what is left for training when each of the others begins, what it may take: a little more than
its part, so that it is only cut where the machine has become slower."""
_SCORING = 0.08
"""Of the minutes, what the three are given to be scored on both held-out texts."""
_READING = 2
"""How many times as fast as learning from text reading it is, at least."""
_FEWEST = 64
"""Windows of each held-out text that are scored at least."""
_ALIKE = 0.02
"""By which tokens may differ: a step of the fewest, and one more for each half."""
_LEAST_STEPS = 100
"""Models of fewer steps are not compared: what they differ in is chance."""


class _Model(NamedTuple):
    """A finished run, and which text it saw, in order."""

    name: str
    run: Path
    seen: tuple[str, ...]


def compare_text(
    domain: Sequence[str],
    general: Sequence[str],
    minutes: float,
    out: Path,
    seed: int,
    progress: Progress,
    began: float | None = None,
) -> dict[str, Any]:
    """Train the three within about `minutes` and write result.json into `out`; returns its facts.

    began: when the minutes began (time.monotonic), now if None. A run that was finished is reused.
    Raises what `build` and `pretrain` raise.
    """
    clock = Clock.start(minutes, began)
    claim = Claim("compare --task lm", places_of([*domain, *general]))
    parts = [f"{side}{end}" for side in SIDES for end in ("", "-tokens", "-floors")]
    with entering(out, claim, RESULT, "tokenizer", "runs", *parts):
        return _compare(domain, general, clock, out, seed, progress)


def _compare(
    domain: Sequence[str],
    general: Sequence[str],
    clock: Clock,
    out: Path,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    corpora, notes = _corpora(domain, general, out, seed, progress)
    tokenizer = _tokenizer(corpora, out / "tokenizer", progress)

    def train(name: str, values: dict[str, Any], own: Clock, init: Path | None = None) -> _Model:
        side = "general" if name in ("general", "general_half") else "domain"
        progress.say(f"Training {name.replace('_', ' ')} ...")
        project = Text(
            corpora[side],
            None if init else tokenizer.where.parent,
            init,
            baselines=out / f"{side}-floors",
        )
        run = out / "runs" / name
        request = project.request({**values, "seed": seed})
        train_project(project, run, request, progress=progress, clock=own)
        return _Model(name, run, (name,))

    def left(name: str) -> Clock:
        return clock.part(_SHARES[name], _SCORING * clock.given_s)

    # The same share whenever it is asked for, so that a finished run is found again.
    minutes = max(LEAST_MINUTES, _FIRST * clock.given_s / 60)
    late_s = max(0.0, clock.used_s() - _PREPARING * clock.given_s) / 3
    own = Clock.start(minutes, time.monotonic() - late_s)
    first = train("general", {"minutes": minutes}, own)
    sizes, steps = TextRecipe.load(first.run).plan, layout.result(first.run)["steps"]
    names = ("depth", "width", "heads", "hidden", "context", "rows")
    plan = {name: sizes.plain()[name] for name in names}
    tokens, half = (count * sizes.rows * sizes.context for count in (steps, steps - steps // 2))
    second = train("domain", {"tokens": tokens, "plan": plan}, left("domain"))
    before = train("general_half", {"tokens": half, "plan": plan}, left("general_half"))
    third = train(
        "general_then_domain",
        {"tokens": max(1, tokens - half), "plan": {"rows": sizes.rows, "context": sizes.context}},
        left("general_then_domain"),
        before.run / "model",
    )
    progress.say("Scoring the models on held-out text of both sides ...")
    models = [second, first, third._replace(seen=("general", "domain"))]
    speed = layout.result(first.run)["tokens_per_second"]
    limit = int(_SCORING * clock.given_s * _READING * speed / (len(models) * len(SIDES)))
    found = {
        side: {model.name: _bits(model, windows) for model in models}
        for side in SIDES
        for windows in [_held_out(corpora[side], tokenizer, first, out, side, limit)]
    }
    result: dict[str, Any] = {
        "task": "lm",
        "tokens": tokens,
        "bytes": {side: corpus.mixture_bytes for side, corpus in corpora.items()},
        "notes": notes,
        "rows": [
            {**_row(model, found), **_training(model, before if len(model.seen) > 1 else None)}
            for model in models
        ],
        "floors": {
            side: layout.result(model.run)["floors"]
            for side, model in zip(SIDES, (second, first), strict=True)
        },
        "differences": {side: _differences(found[side]) for side in SIDES},
    }
    result["verdict"] = _verdict(result, _missing(result))
    write_json(out / RESULT, result)
    return result


def lines_of(result: dict[str, Any]) -> list[str]:
    """The result for people: a line a model, and the verdict. Notes were said as they came."""
    lines = []
    for row in result["rows"]:
        scores = ", ".join(
            f"{side} {row[side]['value']:.3f} ({row[side]['low']:.3f}–{row[side]['high']:.3f})"
            for side in SIDES
        )
        lines.append(f"{row['name']}: bits per byte on held-out text: {scores}")
    return [*lines, result["verdict"]["reason"]]


def _corpora(
    domain: Sequence[str], general: Sequence[str], out: Path, seed: int, progress: Progress
) -> tuple[dict[str, Corpus], list[str]]:
    """Both corpora, the larger one cut to the size of the other, and what is to be said of it."""
    sources: dict[str, Sequence[str]] = {"domain": domain, "general": general}
    built: dict[str, Corpus] = {}
    for side, paths in sources.items():
        progress.say(f"Reading the {side} text ...")
        built[side] = build(paths, out / side, CorpusRecipe(), progress, out)
    most, notes = min(corpus.mixture_bytes for corpus in built.values()), []
    for side, corpus in built.items():
        if corpus.mixture_bytes > most:
            notes.append(
                f"Of the {side} text {most / 1e6:,.2f} of {corpus.mixture_bytes / 1e6:,.2f} MB "
                "are learned from, as many as there are of the other; one document is cut for it."
            )
            built[side] = CorpusSubset(corpus, most, seed)
    progress.say(*(f"  {note}" for note in notes))
    return built, notes


def _tokenizer(corpora: dict[str, Corpus], folder: Path, progress: Progress) -> Tokenizer:
    """One for all three, trained on as much of either side."""

    def texts() -> Any:
        for corpus in corpora.values():
            size = 0
            for text in corpus.texts("train"):
                yield text
                size += len(text.encode("utf-8"))
                if size > _SAMPLE:
                    break

    def work(aside: Path) -> None:
        train_tokenizer(texts(), _VOCABULARY, aside, progress)

    inputs = {side: corpus.fingerprint for side, corpus in corpora.items()}
    run_stage(folder, layout.PART, {"stage": "compared-tokenizer-1", **inputs}, work)
    return Tokenizer.load(folder)


def _held_out(
    corpus: Corpus, tokenizer: Tokenizer, model: _Model, out: Path, side: str, limit: int
) -> Validation:
    """Windows of the held-out text, the same for every model; some of them where time is short."""
    _, held_out = prepare_shards(
        corpus, tokenizer, out / f"{side}-tokens", Progress(quiet=True), layout.PART
    )
    context = TextRecipe.load(model.run).plan.context
    most = max(limit, _FEWEST * context)
    return Validation(held_out, token_bytes(tokenizer), context, _ROWS, limit=most)


def _bits(model: _Model, windows: Validation) -> tuple[np.ndarray, np.ndarray]:
    """(W,) bits of each window, and (W,) its bytes."""
    loaded = load_model(model.run)
    losses = task_of(loaded.config, Tokenizer.load(model.run / layout.MODEL)).losses
    return windows.bits(loaded, losses, "cpu", TextRecipe.load(model.run).loop.dtype)


def _row(model: _Model, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    scores = {}
    for side in SIDES:
        bits, sizes = found[side][model.name]
        scores[side] = bootstrap_ratio(list(bits), list(sizes))._asdict()
    return {"name": model.name, "seen": list(model.seen), **scores}


def _differences(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Bits per byte by which each lies above the one that learned general text only."""
    base, sizes = found["general"]
    return {
        name: bootstrap_ratio(list(bits - base), list(sizes))._asdict()
        for name, (bits, _) in found.items()
        if name != "general"
    }


def _training(model: _Model, before: _Model | None) -> dict[str, Any]:
    """How long it learned; of the one that learned both, the second half, and tokens of both."""
    recipe, facts = TextRecipe.load(model.run), layout.result(model.run)
    assert recipe.forecast is not None, "runs on text are rehearsed"
    steps = int(facts["steps"])
    all_steps = steps + (int(layout.result(before.run)["steps"]) if before else 0)
    return {
        "steps": steps,
        "passes": recipe.forecast.epochs * steps / recipe.loop.steps,
        "rows_a_step": recipe.plan.rows,
        "tokens": all_steps * recipe.plan.rows * recipe.plan.context,
    }


def _missing(result: dict[str, Any]) -> list[str]:
    """Why these models say nothing yet: too few steps, or no better than a compressor."""
    missing = []
    for row in result["rows"]:
        if abs(row["tokens"] / result["tokens"] - 1) > _ALIKE:
            missing.append(
                f"{row['name'].replace('_', ' ')} learned from {row['tokens']:,} tokens instead of "
                f"{result['tokens']:,}, as the machine became slower"
            )
        least = _LEAST_STEPS // len(row["seen"])
        if row["steps"] < least:
            missing.append(
                f"{row['name'].replace('_', ' ')} took {row['steps']} steps, {row['passes']:.1f} "
                f"passes (at least {least})"
            )
        side = row["seen"][-1]
        if row[side]["value"] >= result["floors"][side]["gzip"]:
            missing.append(
                f"{row['name'].replace('_', ' ')} is no better than gzip on the text it learned "
                f"({row[side]['value']:.2f} against {result['floors'][side]['gzip']:.2f} bits per "
                "byte)"
            )
    return missing


def _verdict(result: dict[str, Any], missing: Sequence[str]) -> dict[str, Any]:
    if missing:
        reason = f"No verdict: {'; '.join(missing)}. Give more --minutes."
        return {"choose": None, "clear": False, "reason": reason}
    gain = result["differences"]["domain"]
    best = min(result["rows"], key=lambda row: row["domain"]["value"])["name"]
    change = gain.get(best, {"value": 0.0, "low": 0.0, "high": 0.0})
    clear = change["high"] < 0
    reason = (
        f"On text of the domain {best.replace('_', ' ')} is best: {change['value']:+.3f} bits per "
        f"byte against general text ({change['low']:+.3f} to {change['high']:+.3f})"
        + (", a clear gain." if clear else ", no clear gain.")
    )
    return {"choose": best, "clear": clear, "reason": reason}
