"""The verdict on a claim: the only place where one is made, from paired differences alone."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hornbook.core.stats import Estimate, bootstrap_nested

HOLDS, FAILS, OPEN = "holds", "does not hold at this scale", "too small to tell"
UNTRIED = "not tried"
WORDS = {
    HOLDS: ("It holds.", "成立。"),
    FAILS: ("It does not hold at this scale.", "在这个规模上不成立。"),
    OPEN: ("The difference is too small to tell.", "差别太小，无法判断。"),
    UNTRIED: ("There was no time to try it.", "没有时间检验。"),
}
"""Verdicts for people."""
_FEWEST = 5
"""Samples below which nothing is told, whatever they say."""


class Judgement(NamedTuple):
    """gain: the mean over seeds and samples, with its 95 % interval."""

    verdict: str
    gain: Estimate
    seeds: int
    samples: int


def judge(trials: Sequence[Mapping[str, Any]]) -> Judgement:
    """The verdict on one comparison in the trials as `Trial.plain` has them, one a seed.

    It holds where the whole interval lies above 0, it does not where the whole lies below, and else
    it is too small to tell. The interval is a bootstrap over seeds and over the samples of each; of
    one seed alone it knows nothing of what another would give.
    """
    groups = [(trial["gains"], trial["weights"]) for trial in trials]
    samples = sum(len(gains) for gains, _ in groups)
    gain = bootstrap_nested(groups)
    verdict = OPEN
    if samples >= _FEWEST:
        verdict = HOLDS if gain.low > 0 else FAILS if gain.high < 0 else OPEN
    return Judgement(verdict, gain, len(groups), samples)


def judge_also(trials: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """The other comparisons of the trials, in their order."""
    return [judge(found) for found in zip(*(trial["also"] for trial in trials), strict=True)]


def verdict_of(trials: Sequence[Mapping[str, Any]]) -> str:
    """The verdict on a claim: the worst of its comparisons that are needed."""
    also = zip(trials[0]["also"], judge_also(trials), strict=True)
    found = [judge(trials), *(one for what, one in also if what["needed"])]
    return max((one.verdict for one in found), key=[HOLDS, OPEN, FAILS].index)
