"""The ledger: what was foretold of each run and what came of it, so that the next forecast is
better.

A line of JSON for each run, in Hornbook's own folder. A run is foretold from its rehearsal by a
law, score ~ steps^-slope; each run that ended says which slope would have been right. The slopes of
past runs, those of the same data and model first, are what the next interval is made of: quantiles
of what came true, and no shape is assumed (split conformal prediction, Lei et al. 2018).
"""

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any, NamedTuple

from hornbook.core.config import Config
from hornbook.core.files import hash_json
from hornbook.core.home import home
from hornbook.core.json_text import NotJson, parse_json
from hornbook.core.lines import lines_of
from hornbook.training.measures import MEASURES, Fall
from hornbook.workflows.runs.recipe import Recipe, RehearsedRequest

FILE = "forecasts.jsonl"
COVERED = 0.8
"""Share of runs whose score the interval should hold."""
_NEWEST = 400
"""Runs that are looked at."""
_PRIOR, _POINTS = 5.0, 9
"""Runs that the law's own spread counts as, and by how many points it is told."""
_AGAIN = 0.4
"""Of the law's spread: by how much two runs that are alike differ. Of a few runs the next one may
well be the highest or lowest, so each stands for a neighbourhood."""
_SAME_DATA, _SAME_MODEL = 12.0, 1.0
"""How many other runs one of the same data, or of the same kind of model, counts as."""
_LEAST_DISTANCE = 0.5
"""Of the logarithms of steps: a run hardly longer than its rehearsal says nothing of the law."""


class Likeness(NamedTuple):
    """What makes runs alike. measure: of MEASURES. data: a fingerprint. model: its kind."""

    measure: str
    data: str
    model: str

    @classmethod
    def of(cls, request: RehearsedRequest, plan: Config, measure: str) -> "Likeness":
        """Of a run. Where a request does not say what its data are, no other is of the same."""
        data = {name: getattr(request, name) for name in request.about}
        model = getattr(plan, "preset", None) or getattr(request, "family", "")
        return cls(measure, hash_json(data) if data else "", str(model))


class Learned(NamedTuple):
    """What past runs say. runs: how many of this measure there are, and of the same data."""

    fall: Fall
    runs: int
    same_data: int


class LedgerEntry(Config):
    """A line of the ledger. foretold: the forecast. reached: the same figures of the run."""

    at: str
    run: str
    kind: str
    measure: str
    data: str
    model: str
    foretold: dict[str, Any]
    reached: dict[str, Any]

    @property
    def slope(self) -> float | None:
        """That would have foretold the score; None where the run says nothing of it."""
        began, score = self.foretold.get("rehearsed_score"), self.reached.get("score")
        first, steps = self.foretold.get("rehearsed_steps"), self.reached.get("steps")
        if not (began and score and first and steps) or min(began, score) <= 0:
            return None
        distance = math.log(steps / first)
        return math.log(began / score) / distance if distance > _LEAST_DISTANCE else None

    @property
    def inside(self) -> bool:
        """Whether the interval held what was reached."""
        return bool(self.foretold["low"] <= self.reached["score"] <= self.foretold["high"])


def record(recipe: Recipe, result: Mapping[str, Any]) -> None:
    """Add a line about a run that ended, if it was foretold at all.

    A folder that cannot be written to loses the line, and no run.
    """
    if recipe.forecast is None or not isinstance(recipe.request, RehearsedRequest):
        return
    measure = recipe.forecast.measure
    score = result.get(measure)
    entry = LedgerEntry(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        run=str(result["run"]),
        kind=recipe.kind,
        **Likeness.of(recipe.request, recipe.plan, measure)._asdict(),
        foretold=recipe.forecast.plain(),
        reached={
            "score": score["value"] if isinstance(score, dict) else score,
            **{name: result[name] for name in ("steps", "seconds", "peak_bytes", "disk_bytes")},
        },
    )
    line = json.dumps(entry.plain(), ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):
        home().mkdir(parents=True, exist_ok=True)
        with (home() / FILE).open("a", encoding="utf-8") as lines, _locked(lines.fileno()):
            lines.write(line)
            lines.flush()


def entries() -> list[LedgerEntry]:
    """The newest of them; a line that was cut off, or is none of ours, is passed over."""
    path = home() / FILE
    found = []
    with contextlib.suppress(OSError):
        for line in lines_of(path.read_text(encoding="utf-8", errors="replace"))[-_NEWEST:]:
            with contextlib.suppress(NotJson, ValueError):
                found.append(LedgerEntry.model_validate(parse_json(line)))
    return found


def learned(like: Likeness, past: Sequence[LedgerEntry] | None = None) -> Learned:
    """What past runs say of one that is like this. past: the ledger's if None."""
    law = MEASURES[like.measure]
    spread = NormalDist(law.slope, law.spread)
    places = [(i + 0.5) / _POINTS for i in range(_POINTS)]
    weighted = [(spread.inv_cdf(place), _PRIOR / _POINTS) for place in places]
    same = runs = 0
    for entry in entries() if past is None else past:
        if entry.measure != like.measure or (slope := entry.slope) is None:
            continue
        alike = bool(like.data) and entry.data == like.data
        runs, same = runs + 1, same + alike
        weight = 1 + _SAME_DATA * alike
        weight += _SAME_MODEL * (entry.model == like.model)
        # Three points with the mean and the variance of a normal distribution around the slope.
        near = math.sqrt(1.5) * _AGAIN * law.spread
        weighted += [(slope + step * near, weight / 3) for step in (-1, 0, 1)]
    # One of n + 1 is the run to come: the bounds are a little further out than those of the past.
    outside = (1 - COVERED) / 2 * (1 - 1 / (runs + _PRIOR))
    fall = Fall(*(_quantile(weighted, share) for share in (outside, 0.5, 1 - outside)))
    return Learned(fall, runs, same)


def _quantile(weighted: Sequence[tuple[float, float]], share: float) -> float:
    """Of values with weights, between the middles of their weights."""
    ordered = sorted(weighted)
    total, before, last = sum(weight for _, weight in ordered), 0.0, None
    for value, weight in ordered:
        place = (before + weight / 2) / total
        if place >= share:
            if last is None:
                return value
            there, known = last
            return known + (value - known) * (share - there) / (place - there)
        last, before = (place, value), before + weight
    return ordered[-1][0]


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Alone, where the system and the disk have locks; the lock ends with the process."""
    if os.name != "posix":
        yield
        return
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
