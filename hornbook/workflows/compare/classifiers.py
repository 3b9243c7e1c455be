"""Which way to classify is worth its cost? All rungs of a ladder on the same texts and minutes.

Every rung sees the same rows and is judged on the same ones; differences are tested in pairs, and
the verdict is the cheapest rung within noise of the best.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError
from hornbook.core.files import write_json, write_text
from hornbook.core.folders import atomic_folder, check_place
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import LabelledText, split
from hornbook.evaluate.classification import (
    classification_scores,
    confusion,
    paired,
    smallest_difference,
)
from hornbook.workflows.compare.data import CompareConfig, Data, Round, read_data
from hornbook.workflows.compare.ladder import Climbed, Job, Rung, climb
from hornbook.workflows.compare.report import compare_page
from hornbook.workflows.compare.time import LEFT_OUT, Shares

RESULT, PAGE = "result.json", "report.html"
NOISE = 0.05
"""The p-value from which on two rungs are not told apart."""
_ASKED = 1000
"""Predictions whose time is a part of what a rung costs."""
_EXPECTED = 0.9
"""Accuracy for which the power of the test set is stated before anything is known."""


def compare(
    config: CompareConfig,
    rungs: Sequence[Rung],
    out: Path,
    progress: Progress,
    began: float | None = None,
) -> dict[str, Any]:
    """Climb every rung and write result.json and report.html into the folder `out`.

    began: when the minutes began (time.monotonic); now if None. Rungs that train in seconds come
    first, the others share what is left; one that would get too little is left out. Returns the
    facts of result.json: rows [{name, score, low, high, seconds, peak_bytes, model_bytes,
    latency_ms, ...}], verdict {choose, reason}. Raises UsageError, before any work, for data that
    cannot be compared on, and HornbookError when no rung could be climbed.
    """
    clock = Clock.start(config.minutes, began)
    claim = Claim("compare", (config.data,))
    check_place(out, claim)
    progress.say("Reading the texts ...")
    data = read_data(config)
    labels = data.labels
    truth = np.array([labels.index(row.label) for row in data.judged])
    least = smallest_difference(len(truth), _EXPECTED)
    progress.say(
        f"{len(data.rounds[0].train):,} texts to learn from, {len(truth):,} to be judged on, "
        f"{len(labels)} labels. Differences from {least:.1%} on can be shown at {_EXPECTED:.0%} "
        "accuracy, with a power of 80 %; smaller ones only where rungs err alike."
    )
    for line in data.facts["notes"]:
        progress.say(f"  {line}")
    # What a rung trains lies in it until the rung has answered: checkpoints may be more than the
    # place of temporary files holds, and what a kill leaves is cleared away by the next comparison.
    with atomic_folder(out, claim) as aside:
        ordered = sorted(rungs, key=lambda rung: rung.kind != "linear")
        times = Shares(clock, _timed(ordered, len(data.rounds) + len(config.curve)))
        rows, shares = [], {}
        with progress.bar("climbing", len(rungs) * len(data.rounds), "rungs") as advance:
            for rung in ordered:
                found = []
                for part in data.rounds:
                    progress.say(f"  {rung.name} ...")
                    found.append(_climb(rung, part, part.train, config, times, aside))
                    advance(1)
                row, probabilities = _judge(rung, found, data, truth, labels, config.seed)
                rows.append(row)
                if probabilities is not None:
                    shares[rung.name] = probabilities
        if not shares:
            raise HornbookError(f"No rung could be climbed: {rows[0]['error']}.")
        _test_pairs(rows, shares, truth)
        result = {
            "task": "classify",
            "data": str(config.data),
            "config": config.plain(),
            **data.facts,
            "labels": labels,
            "judged": len(truth),
            "leaked_items": sum(data.facts["leaked"]),
            "smallest_difference": least,
            "minutes_each": times.first,
            "rows": rows,
            "verdict": _verdict(rows),
            "curve": _curve(config, ordered, data, truth, times, progress, aside),
            "seconds": round(clock.used_s(), 3),
        }
        write_json(aside / RESULT, result)
        write_text(aside / PAGE, compare_page(result))
    return {**result, "report": str(out / PAGE)}


def _timed(rungs: Sequence[Rung], times: int) -> int:
    """How often something is climbed that takes the time it is given."""
    return times * sum(rung.kind != "linear" for rung in rungs)


def _climb(
    rung: Rung,
    part: Round,
    train: Sequence[LabelledText],
    config: CompareConfig,
    times: Shares,
    folder: Path,
) -> Climbed | str:
    minutes = times.quick() if rung.kind == "linear" else times.next()
    if isinstance(minutes, str):
        return minutes
    learned, looked_at = split(train, 0.1, config.seed)
    texts, began = [row.text for row in part.test], time.monotonic()
    job = Job(rung, learned, looked_at, texts, minutes, config.seed, config.words, began, folder)
    found = climb(job)
    if isinstance(found, str) and found.startswith(LEFT_OUT) and rung.kind != "linear":
        times.too_little()
    return found


def _judge(
    rung: Rung,
    found: Sequence[Climbed | str],
    data: Data,
    truth: np.ndarray,
    labels: Sequence[str],
    seed: int,
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The rung's row, and (N, L) its probabilities; None when it could not be climbed."""
    row: dict[str, Any] = {"name": rung.name, "kind": rung.kind}
    for one in found:
        if isinstance(one, str):
            return {**row, "error": one}, None
    climbed = [one for one in found if isinstance(one, Climbed)]
    shares = np.full((len(truth), len(labels)), np.nan)
    for one, part in zip(climbed, data.rounds, strict=True):
        known = [labels.index(label) for label in part.labels]
        shares[part.places] = np.where(np.isnan(one.probabilities[:, :1]), np.nan, 0.0)
        shares[part.places[:, None], known] = one.probabilities
    asked = ~np.isnan(shares[:, 0])
    scores = classification_scores(shares[asked], truth[asked], labels, seed)
    guesses = shares[asked].argmax(1)
    leaked = np.array(data.facts["leaked"] or [False] * len(truth))
    row |= {
        "score": scores["accuracy"].value,
        "low": scores["accuracy"].low,
        "high": scores["accuracy"].high,
        "metrics": {name: score._asdict() for name, score in scores.items()},
        "confusion": confusion(guesses, truth[asked], len(labels)).tolist(),
        "judged": int(asked.sum()),
        "seconds": sum(one.seconds for one in climbed),
        "latency_ms": 1000 * float(np.median([one.latency for one in climbed])),
        "peak_bytes": max(one.peak_bytes for one in climbed),
        "model_bytes": max(one.model_bytes for one in climbed),
        "facts": climbed[0].facts,
    }
    if remark := _remark(guesses, truth[asked], labels):
        row["remark"] = remark
    if leaked.any():
        clean = asked & ~leaked
        without = classification_scores(shares[clean], truth[clean], labels, seed)
        row["without_leaked"] = {name: score._asdict() for name, score in without.items()}
    return row, shares


def _remark(guesses: np.ndarray, truth: np.ndarray, labels: Sequence[str]) -> str:
    """That a rung learned nothing but which class is frequent, or not even that."""
    taken, there = np.unique(guesses), np.unique(truth)
    if len(taken) > 1 or len(there) < 2:
        return ""
    most = np.bincount(truth).max() / len(truth)
    return f"takes every text for {labels[int(taken[0])]!r}; the majority class has {most:.2%}"


def line_of(row: dict[str, Any]) -> str:
    """A rung's result in one line."""
    if "error" in row:
        return f"{row['name']}: not climbed: {row['error']}"
    return (
        f"{row['name']}: {row['score']:.2%} ({row['low']:.2%} to {row['high']:.2%}), "
        f"trained in {row['seconds']:.1f} s, {row['latency_ms']:.2f} ms a text, "
        f"{row['model_bytes'] / 1e6:,.1f} MB" + (f"; {row['remark']}" if "remark" in row else "")
    )


def lines_of(result: dict[str, Any]) -> list[str]:
    """The result for people: a line a rung, the verdict, and where the report is."""
    rows = [line_of(row) for row in result["rows"]]
    fewer = [f"{row['texts']:,} texts: {line_of(row)}" for row in result["curve"]]
    return [*rows, *fewer, result["verdict"]["reason"], f"The report: {result['report']}"]


def _test_pairs(
    rows: list[dict[str, Any]], shares: dict[str, np.ndarray], truth: np.ndarray
) -> None:
    """Put into every row how it differs from the best one, on the texts that both judged."""
    best = max((row for row in rows if row["name"] in shares), key=lambda row: row["score"])
    for row in rows:
        if row["name"] not in shares:
            continue
        one, other = shares[best["name"]], shares[row["name"]]
        both = ~np.isnan(one[:, 0]) & ~np.isnan(other[:, 0])
        test = paired(one[both], other[both], truth[both])
        row["behind_best"] = {
            "accuracy": test.accuracy._asdict(),
            "p": test.mid,
            "judged": int(both.sum()),
            "only_best_right": test.only_one,
            "only_this_right": test.only_other,
        }


def _cost(row: dict[str, Any]) -> float:
    """Seconds to train and to answer a thousand times."""
    return float(row["seconds"] + _ASKED * row["latency_ms"] / 1000)


def _verdict(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The cheapest rung within noise of the best."""
    climbed = [row for row in rows if "score" in row]
    best = max(climbed, key=lambda row: row["score"])
    within = [row for row in climbed if row["behind_best"]["p"] > NOISE]
    chosen = min([*within, best], key=_cost)
    if chosen is best:
        reason = f"Choose {best['name']}: the best, and no cheaper rung is within noise of it."
    else:
        gap = chosen["behind_best"]
        reason = (
            f"Choose {chosen['name']}: {chosen['score']:.2%}, within noise of the best "
            f"({best['name']}, {best['score']:.2%}; p = {gap['p']:.2f}) at "
            f"{_cost(chosen) / _cost(best):.1%} of its cost."
        )
    return {
        "choose": chosen["name"],
        "best": best["name"],
        "within_noise": [row["name"] for row in within],
        "reason": f"{reason} Cost: seconds to train and to answer {_ASKED:,} times.",
    }


def _curve(
    config: CompareConfig,
    rungs: Sequence[Rung],
    data: Data,
    truth: np.ndarray,
    times: Shares,
    progress: Progress,
    folder: Path,
) -> list[dict[str, Any]]:
    """Every rung on fewer texts to learn from, judged on the first round's."""
    part, found = data.rounds[0], []
    for count in sorted(config.curve):
        if count >= len(part.train):
            progress.say(f"  {count:,} texts to learn from are not there.")
            times.drop(_timed(rungs, 1))
            continue
        fewer, _ = split(part.train, 1 - count / len(part.train), config.seed)
        own = part._replace(train=fewer, places=np.arange(len(part.test)))
        alone = Data([own], part.test, {**data.facts, "leaked": []})
        progress.say(f"  {len(fewer):,} texts to learn from ...")
        for rung in rungs:
            one = _climb(rung, own, fewer, config, times, folder)
            row, _ = _judge(rung, [one], alone, truth[part.places], data.labels, config.seed)
            row["texts"] = len(fewer)
            found.append(row)
    return found
