"""Which way to classify is worth its cost? All rungs of a ladder on the same texts and minutes.

Every rung sees the same rows and is judged on the same ones; differences are tested in pairs, and
the verdict is the cheapest rung within noise of the best. Knows labelled texts and rungs; how a
rung works is `ladder`'s business.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from hornbook.core.claims import Claim
from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.core.files import write_json, write_text
from hornbook.core.folders import atomic_folder, check_place
from hornbook.core.progress import Progress
from hornbook.corpus.documents import content_hash
from hornbook.corpus.labelled import (
    LabelledText,
    classes_of,
    folds,
    read_labelled,
    split,
    without_copies,
)
from hornbook.evaluate.classification import (
    classification_scores,
    confusion,
    paired,
    smallest_difference,
)
from hornbook.workflows.ladder import Climbed, Job, Rung, climb
from hornbook.workflows.report.compare import compare_page

RESULT, PAGE = "result.json", "report.html"
NOISE = 0.05
"""The p-value from which on two rungs are not told apart."""
_ASKED = 1000
"""Predictions whose time is a part of what a rung costs."""
_EXPECTED = 0.9
"""Accuracy for which the power of the test set is stated before anything is known."""


class CompareConfig(Config):
    """data: labelled texts. test: others to judge on, None for a part of data. folds: judge on
    every row by turns, instead of on `test_share`. minutes: of all rungs that need time, together.
    test_limit: rows judged at the most. curve: numbers of training rows to try besides all.
    words: what stands for each label in a prompt.
    """

    data: Path
    test: Path | None = None
    text_column: str | None = None
    label_column: str | None = None
    folds: int | None = Field(default=None, ge=2, le=20)
    test_share: float = Field(default=0.2, gt=0, lt=1)
    test_limit: int | None = Field(default=None, ge=10)
    minutes: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    curve: tuple[int, ...] = ()
    words: dict[str, str] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0, lt=2**63)


class Round(NamedTuple):
    """Rows to train on and rows to judge on; places: of these in the table of all judged."""

    train: list[LabelledText]
    test: list[LabelledText]
    places: np.ndarray


class Data(NamedTuple):
    """The rounds, the judged rows in order, and what was found while they were read."""

    rounds: list[Round]
    judged: list[LabelledText]
    facts: dict[str, Any]


def compare(
    config: CompareConfig, rungs: Sequence[Rung], out: Path, progress: Progress
) -> dict[str, Any]:
    """Climb every rung and write result.json and report.html into the folder `out`.

    Returns the facts of result.json: rows [{name, score, low, high, seconds, peak_bytes,
    model_bytes, latency_ms, ...}], verdict {choose, reason}. Raises UsageError, before any work,
    for data that cannot be compared on, and HornbookError when no rung could be climbed.
    """
    claim = Claim("compare", (config.data,))
    check_place(out, claim)
    data = read_data(config)
    labels = classes_of(row.label for row in data.judged)
    truth = np.array([labels.index(row.label) for row in data.judged])
    least = smallest_difference(len(truth), _EXPECTED)
    progress.say(
        f"{len(data.rounds[0].train):,} texts to learn from, {len(truth):,} to be judged on, "
        f"{len(labels)} labels. Differences from {least:.1%} on can be shown at {_EXPECTED:.0%} "
        "accuracy, with a power of 80 %; smaller ones only where rungs err alike."
    )
    for line in data.facts["notes"]:
        progress.say(f"  {line}")
    share = _minutes_each(config, rungs, len(data.rounds))
    rows, shares = [], {}
    with progress.bar("climbing", len(rungs) * len(data.rounds), "rungs") as advance:
        for rung in rungs:
            found = []
            for part in data.rounds:
                found.append(_climb(rung, part, part.train, config, labels, share))
                advance(1)
            row, probabilities = _judge(rung, found, data, truth, labels, config.seed)
            rows.append(row)
            progress.say(f"  {line_of(row)}")
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
        "minutes_each": share,
        "rows": rows,
        "verdict": _verdict(rows),
        "curve": _curve(config, rungs, data, labels, truth, share, progress),
    }
    with atomic_folder(out, claim) as aside:
        write_json(aside / RESULT, result)
        write_text(aside / PAGE, compare_page(result))
    progress.say(result["verdict"]["reason"], f"The report: {out / PAGE}")
    return {**result, "report": str(out / PAGE)}


def read_data(config: CompareConfig) -> Data:
    """The rounds of training and judging, with copies out of the way."""
    found = read_labelled(config.data, config.text_column, config.label_column)
    rows, copies = without_copies(found.rows)
    notes = [f"Text: {found.text_column}. Labels: {found.label_column}."]
    if found.rejected:
        notes.append(f"{len(found.rejected):,} rows could not be used: {found.rejected[0].reason}.")
    if copies:
        notes.append(f"{copies:,} repeated texts are left out.")
    facts: dict[str, Any] = {"copies": copies, "rejected": len(found.rejected), "notes": notes}
    if config.test:
        judged = read_labelled(config.test, found.text_column, found.label_column).rows
        known = {content_hash(row.text) for row in rows}
        leaked = [content_hash(row.text) in known for row in judged]
        if any(leaked):
            notes.append(f"{sum(leaked):,} texts to be judged on are also trained on.")
        rounds = [Round(rows, judged, np.arange(len(judged)))]
        return _limited(Data(rounds, judged, {**facts, "leaked": leaked}), config)
    if config.folds:
        fold = np.array(folds(rows, config.folds, config.seed))
        rounds = [
            Round(
                [rows[i] for i in np.flatnonzero(fold != k)],
                [rows[i] for i in np.flatnonzero(fold == k)],
                np.flatnonzero(fold == k),
            )
            for k in range(config.folds)
        ]
        return Data(rounds, rows, {**facts, "leaked": []})
    train, judged = split(rows, config.test_share, config.seed)
    rounds = [Round(train, judged, np.arange(len(judged)))]
    return _limited(Data(rounds, judged, {**facts, "leaked": []}), config)


def _limited(data: Data, config: CompareConfig) -> Data:
    """The same with at most `test_limit` rows to judge on, evenly spread."""
    count = len(data.judged)
    if config.test_limit is None or config.test_limit >= count:
        return data
    places = np.linspace(0, count - 1, config.test_limit).astype(int)
    judged = [data.judged[i] for i in places]
    leaked = [data.facts["leaked"][i] for i in places] if data.facts["leaked"] else []
    data.facts["notes"].append(f"{len(judged):,} of {count:,} are judged on.")
    rounds = [Round(data.rounds[0].train, judged, np.arange(len(judged)))]
    return Data(rounds, judged, {**data.facts, "leaked": leaked})


def _minutes_each(config: CompareConfig, rungs: Sequence[Rung], rounds: int) -> float:
    """The same minutes for every rung and round that needs time."""
    return config.minutes / max(1, rounds * sum(rung.kind != "linear" for rung in rungs))


def _climb(
    rung: Rung,
    part: Round,
    train: Sequence[LabelledText],
    config: CompareConfig,
    labels: Sequence[str],
    minutes: float,
) -> Climbed | str:
    missing = set(labels) - {row.label for row in train}
    if missing:
        return f"no text to learn from has the label {sorted(missing)[0]!r}"
    learned, looked_at = split(train, 0.1, config.seed)
    texts = [row.text for row in part.test]
    return climb(Job(rung, learned, looked_at, texts, minutes, config.seed, config.words))


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
        shares[part.places] = one.probabilities
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
    if leaked.any():
        clean = asked & ~leaked
        without = classification_scores(shares[clean], truth[clean], labels, seed)
        row["without_leaked"] = {name: score._asdict() for name, score in without.items()}
    return row, shares


def line_of(row: dict[str, Any]) -> str:
    """A rung's result in one line."""
    if "error" in row:
        return f"{row['name']}: not climbed: {row['error']}"
    return (
        f"{row['name']}: {row['score']:.2%} ({row['low']:.2%} to {row['high']:.2%}), "
        f"trained in {row['seconds']:.1f} s, {row['latency_ms']:.2f} ms a text, "
        f"{row['model_bytes'] / 1e6:,.1f} MB"
    )


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
    labels: Sequence[str],
    truth: np.ndarray,
    minutes: float,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Every rung on fewer texts to learn from, judged on the first round's."""
    part, found = data.rounds[0], []
    for count in sorted(config.curve):
        if count >= len(part.train):
            progress.say(f"  {count:,} texts to learn from are not there.")
            continue
        fewer, _ = split(part.train, 1 - count / len(part.train), config.seed)
        for rung in rungs:
            one = _climb(rung, part, fewer, config, labels, minutes)
            alone = Data([part._replace(places=np.arange(len(part.test)))], part.test, data.facts)
            own = {**data.facts, "leaked": []}
            row, _ = _judge(
                rung, [one], alone._replace(facts=own), truth[part.places], labels, config.seed
            )
            row["texts"] = len(fewer)
            progress.say(f"  {len(fewer):,} texts: {line_of(row)}")
            found.append(row)
    return found
