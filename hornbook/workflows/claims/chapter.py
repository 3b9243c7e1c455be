"""All claims, tried one after the other within the minutes; verdicts as JSON and as a page.

A trial is a claim with one seed. Each claim gets its first trial before any gets its second, and a
finished one is never done again: a pass that was stopped, or that is given more minutes, goes on.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError, Interrupted, unknown
from hornbook.core.files import read_object, write_json, write_text
from hornbook.core.folders import entering
from hornbook.core.progress import Progress
from hornbook.workflows.claims.judge import UNTRIED, WORDS, Judgement, judge, judge_also, verdict_of
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.page import claims_page
from hornbook.workflows.claims.said import spoken_of
from hornbook.workflows.claims.sources import check_data, fingerprint
from hornbook.workflows.claims.statement import Picture, Statement, statements
from hornbook.workflows.runs.recipe import check_minutes

RESULT, PAGE, _TRIALS = "result.json", "report.html", "trials"
_LEAST_MINUTES = 0.25
_SHARE_S, _TRIAL_S = 80.0, 40.0
"""Seconds of a claim with which trials have their usual size (scale 1): 14 of them in 20 minutes.
And what such a trial takes on two cores, about."""
_LATE = 0.05
"""Of the minutes, by how much a trial may be expected to end late."""


@dataclass(frozen=True)
class ClaimsConfig:
    """only: names of claims, all if empty. data: a folder of real sets, None for what every machine
    has. seed: of the first trial of each."""

    only: tuple[str, ...] = ()
    minutes: float = 20.0
    data: Path | None = None
    seed: int = 0


def claims(
    config: ClaimsConfig, out: Path, progress: Progress, began: float | None = None
) -> dict[str, Any]:
    """Try the claims and write result.json and report.html into the folder `out`.

    began: when the minutes began (time.monotonic), now if None. Returns the facts of result.json,
    as docs/schemas/claims.json says. Raises UsageError, before any work, for values that cannot be.
    """
    check_minutes(config.minutes, _LEAST_MINUTES)
    check_data(config.data)
    chosen, clock = choose(config.only), Clock.start(config.minutes, began)
    scale = scale_of(clock.given_s / len(chosen))
    inner = f"x{scale:g}-{fingerprint(config.data)[:8]}"
    with entering(out, Claim("claims"), inner, RESULT, PAGE):
        lab = Lab(out / inner, config.data, scale, progress)
        failed = _try(chosen, lab, config.seed, clock)
        result = {
            "data": str(config.data) if config.data else None,
            "minutes": config.minutes,
            "scale": scale,
            "claims": [_facts(one, lab, failed.get(one.name)) for one in chosen],
            "report": str(out / PAGE),
            "seconds": round(clock.used_s(), 1),
        }
        write_json(out / RESULT, result)
        write_text(out / PAGE, claims_page(result))
    return result


def choose(names: Sequence[str]) -> list[Statement]:
    """The claims of these names, all if none are given, in the order of the chapter. Raises
    UsageError for one that is not there."""
    known = {one.name: one for one in statements()}
    for name in names:
        if name not in known:
            raise unknown("claim", name, known)
    return [one for one in known.values() if not names or one.name in names]


def scale_of(seconds: float) -> float:
    """How large trials are where a claim has so many seconds: a power of two that grows with the
    square root, so that more time makes both larger and more of them."""
    return float(2.0 ** max(-3, math.floor(math.log(seconds / _SHARE_S, 4))))


def lines_of(result: dict[str, Any]) -> list[str]:
    """The result for people: a line a claim, and where the page is."""
    lines = []
    for row in result["claims"]:
        lines.append(f"{row['number']}. {spoken_of((row['sentence'], row['zh']['sentence']))}")
        tried = row["verdict"] != UNTRIED
        lines.append(_line(row["verdict"], row) if tried or not row["reason"] else row["reason"])
    return [*lines, f"The report: {result['report']}"]


def _line(verdict: str, found: Mapping[str, Any]) -> str:
    """A verdict with its interval, if there is one."""
    figures = "{value:+.3f} ({low:+.3f} – {high:+.3f})".format(**found) if found["seeds"] else ""
    return f"  {spoken_of(WORDS[verdict])} {figures}"


def _try(chosen: Sequence[Statement], lab: Lab, seed: int, clock: Clock) -> dict[str, str]:
    """Trials until the time is over; why claims could not be tried, by their names."""
    failed: dict[str, str] = {}
    while True:
        waiting = [one for one in chosen if one.name not in failed]
        fits = [one for one in waiting if _expected_s(one, lab) <= _room_s(clock)]
        if not fits:
            return failed
        one = min(fits, key=lambda each: (len(_trials(each, lab)), each.number))
        lab.progress.say(f"{one.number}. {spoken_of(one.sentence)}")
        try:
            _trial(one, lab, seed + len(_trials(one, lab)))
        except Interrupted:
            raise Interrupted("Stopped; all of it is saved. The same command goes on.") from None
        except HornbookError as error:
            failed[one.name] = str(error)
            lab.progress.say(f"  {error}")


def _trial(one: Statement, lab: Lab, seed: int) -> None:
    began = time.monotonic()
    found = one.tried(lab, seed).plain()
    facts = {"seed": seed, **found, "seconds": round(time.monotonic() - began, 2)}
    write_json(_folder(one, lab) / f"{seed}.json", facts)
    trials = _trials(one, lab)
    lab.progress.say(_line(verdict_of(trials), _figures(judge(trials))))


def _room_s(clock: Clock) -> float:
    """Seconds that a trial may be expected to take."""
    return clock.left_s(1 + _LATE)


def _expected_s(one: Statement, lab: Lab) -> float:
    """What its last trial took; of the first one nothing is known but what is usual."""
    trials = _trials(one, lab)
    return float(trials[-1]["seconds"]) if trials else _TRIAL_S * lab.scale


def _folder(one: Statement, lab: Lab) -> Path:
    return lab.folder / _TRIALS / one.name


def _trials(one: Statement, lab: Lab) -> list[dict[str, Any]]:
    """Those that are finished, in the order of their seeds."""
    found = sorted(_folder(one, lab).glob("*.json"), key=lambda file: int(file.stem))
    return [read_object(file) for file in found]


def _facts(one: Statement, lab: Lab, reason: str | None) -> dict[str, Any]:
    """A claim as result.json has it."""
    trials = _trials(one, lab)
    texts = {name: getattr(one, name) for name in ("sentence", "experiment", "measure")}
    drawn = _drawn(one.picture, [trial["marks"] for trial in trials])
    found: dict[str, Any] = {"number": one.number, "name": one.name, "verdict": UNTRIED, **drawn}
    found |= {key: text[0] for key, text in texts.items()}
    found["zh"] |= {key: text[1] for key, text in texts.items()}
    found |= {"reason": reason, "value": None, "low": None, "high": None, "seeds": 0, "samples": 0}
    if trials:
        found |= {"verdict": verdict_of(trials), **_figures(judge(trials))}
    found["data"] = [list(name) for name in lab.called(one.uses)]
    found["also"] = _also(trials)
    found["more"] = [
        _drawn(picture, [trial["more"][place] for trial in trials])
        for place, picture in enumerate(one.more)
    ]
    notes = {tuple(note): None for trial in trials for note in trial["notes"]}
    found["notes"] = [list(note) for note in notes]
    found["seconds"] = round(sum(trial["seconds"] for trial in trials), 1)
    return found


def _figures(found: Judgement) -> dict[str, Any]:
    return {**found.gain._asdict(), "seeds": found.seeds, "samples": found.samples}


def _also(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The other comparisons of a claim."""
    return [
        {
            "measure": what["measure"],
            "needed": what["needed"],
            "verdict": one.verdict,
            **_figures(one),
        }
        for what, one in zip(trials[0]["also"] if trials else (), judge_also(trials), strict=True)
    ]


def _drawn(picture: Picture, seeds: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """A picture of the marks of each seed: each point the mean, with what each of them gave."""
    found: dict[tuple[str, float | None], list[float]] = {}
    for mark in chain.from_iterable(seeds):
        found.setdefault((mark["name"], mark["x"]), []).append(mark["value"])
    marks = [
        {"name": name, "x": x, "value": sum(values) / len(values), "seeds": values}
        for (name, x), values in found.items()
    ]
    english, chinese = (
        {"height": picture.height[place], "axis": picture.axis and picture.axis[place]}
        for place in (0, 1)
    )
    return {**english, "marks": marks, "zh": {**chinese, "names": dict(picture.names)}}
