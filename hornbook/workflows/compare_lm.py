"""Does text of the domain beat general text? Three models of one size and the same tokens.

One learns from domain text, one from general text, one from general text first and domain text
then; each is scored on held-out text of both, with paired intervals. Knows corpora and
pretraining; computes nothing itself.
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
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.train.validation import Validation
from hornbook.workflows import run as layout
from hornbook.workflows.encode import prepare_shards
from hornbook.workflows.prepare import token_bytes
from hornbook.workflows.pretrain import Inputs, pretrain, request_of
from hornbook.workflows.run import LEAST_MINUTES, RESULT, Recipe
from hornbook.workflows.tasks import task_of

SIDES = ("domain", "general")
_VOCABULARY = 8192
_SAMPLE = 16 * 2**20
"""Bytes of each side that the tokenizer is shown, so that neither is favoured."""
_ROWS = 16
_FIRST, _PREPARING = 0.26, 0.1
"""Of the minutes, what the first of three lengths of training is given (all three learn as many
tokens, and scoring comes besides), and what reading may take before it has less."""
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
    parts = [f"{side}{end}" for side in SIDES for end in ("", "-whole", "-tokens", "-floors")]
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
    corpora = _corpora(domain, general, out, progress)
    tokenizer = _tokenizer(corpora, out / "tokenizer", progress)
    # The same share whenever it is asked for, so that a finished run is found again.
    given = {"minutes": max(LEAST_MINUTES, _FIRST * clock.given_s / 60)}
    late_s = max(0.0, clock.used_s() - _PREPARING * clock.given_s) / 3
    first = _train(
        "general", corpora["general"], tokenizer, out, given, seed, began=time.monotonic() - late_s
    )
    sizes = Recipe.load(first.run).plan.plain()
    tokens = Recipe.load(first.run).forecast.targets
    plan = {name: sizes[name] for name in ("depth", "width", "heads", "hidden", "context", "rows")}
    same = {"tokens": tokens, "plan": plan}
    half = {"tokens": tokens // 2, "plan": plan}
    second = _train("domain", corpora["domain"], tokenizer, out, same, seed)
    before = _train("general_half", corpora["general"], tokenizer, out, half, seed)
    rest = {"tokens": tokens - tokens // 2}
    third = _train("general_then_domain", corpora["domain"], tokenizer, out, rest, seed, before.run)
    models = [second, first, third._replace(seen=("general", "domain"))]
    found = {
        side: {model.name: _bits(model, corpora[side], tokenizer, out, side) for model in models}
        for side in SIDES
    }
    result: dict[str, Any] = {
        "task": "lm",
        "tokens": tokens,
        "bytes": {side: corpus.mixture_bytes for side, corpus in corpora.items()},
        "rows": [{**_row(model, found), **_training(model)} for model in models],
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
    """The result for people: a line a model, and the verdict."""
    lines = []
    for row in result["rows"]:
        scores = ", ".join(
            f"{side} {row[side]['value']:.3f} ({row[side]['low']:.3f}–{row[side]['high']:.3f})"
            for side in SIDES
        )
        lines.append(f"{row['name']}: bits per byte on held-out text: {scores}")
    return [*lines, result["verdict"]["reason"]]


def _corpora(
    domain: Sequence[str], general: Sequence[str], out: Path, progress: Progress
) -> dict[str, Corpus]:
    """Both corpora, cut to the size of the smaller."""
    sources: dict[str, Sequence[str]] = {"domain": domain, "general": general}
    most = min(
        build(paths, out / f"{side}-whole", CorpusRecipe(), progress, out).facts["bytes"]["kept"]
        for side, paths in sources.items()
    )
    recipe = CorpusRecipe(budget_bytes=most)
    return {side: build(p, out / side, recipe, progress, out) for side, p in sources.items()}


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


def _train(
    name: str,
    corpus: Corpus,
    tokenizer: Tokenizer,
    out: Path,
    values: dict[str, Any],
    seed: int,
    init: Path | None = None,
    began: float | None = None,
) -> _Model:
    run = out / "runs" / name
    folder = init / "model" if init else tokenizer.where.parent
    inputs = Inputs(corpus, folder, init / "model" if init else None)
    request = request_of(inputs, {**values, "seed": seed})
    side = "general" if name.startswith("general") and not init else "domain"
    pretrain(inputs, run, request, progress=Progress(), began=began, floors=out / f"{side}-floors")
    return _Model(name, run, (name,))


def _bits(
    model: _Model, corpus: Corpus, tokenizer: Tokenizer, out: Path, side: str
) -> tuple[np.ndarray, np.ndarray]:
    """(W,) bits of each held-out window, and (W,) its bytes; the same windows for every model."""
    _, held_out = prepare_shards(
        corpus, tokenizer, out / f"{side}-tokens", Progress(quiet=True), layout.PART
    )
    loaded = load_model(model.run)
    windows = Validation(held_out, token_bytes(tokenizer), loaded.config.context, _ROWS)
    losses = task_of(loaded.config, tokenizer).losses
    return windows.bits(loaded, losses, "cpu", Recipe.load(model.run).loop.dtype)


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


def _training(model: _Model) -> dict[str, Any]:
    """How long it learned. Of the one that learned both, the second half."""
    recipe, facts = Recipe.load(model.run), layout.result(model.run)
    steps = int(facts["steps"])
    return {"steps": steps, "passes": recipe.forecast.epochs * steps / recipe.loop.steps}


def _missing(result: dict[str, Any]) -> list[str]:
    """Why these models say nothing yet: too few steps, or no better than a compressor."""
    missing = []
    for row in result["rows"]:
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
