"""A question that the documents do not answer is refused, by a threshold of this very index.

It is found on questions made of the index's own sentences, each with its passage and without it,
and kept with what else was learned of the index.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbook.retrieve.refusal import VECTORS, WORDS, Refusal, settle_refusal
from hornbook.workflows.documents.asking import Finding, OpenIndex

_NAME = "refusal"
_FEWEST = 30
"""Made questions below which no threshold is drawn."""


class RefusalVerdict(NamedTuple):
    """Whether a question is refused. score, threshold: of this index. false_refusals,
    false_answers: shares of the index's own questions that this threshold judges wrongly."""

    refused: bool
    score: float
    threshold: float
    false_refusals: float
    false_answers: float
    questions: int

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        values = self._asdict()
        del values["refused"]
        return values


def judge(opened: OpenIndex, question: str, found: Finding) -> RefusalVerdict | None:
    """Whether a question is refused by what it found; None where the index is too small to say."""
    refusal = _refusal(opened)
    if refusal is None:
        return None
    score = refusal.score(signs(opened, question, found))
    return RefusalVerdict(
        score < refusal.threshold,
        score,
        refusal.threshold,
        refusal.false_refusals,
        refusal.false_answers,
        refusal.questions,
    )


def signs(opened: OpenIndex, question: str, found: Finding) -> list[float]:
    """What tells an answer from none, in the order of the weights in `retrieve.refusal`.

    How well the best passage fits and how far it is ahead of the others; how much of the question,
    by rarity, stands in one passage, in one sentence, and in one with those beside it; and the
    cosines of passages and of sentences, where there are vectors.
    """
    words = sorted((hit.words or 0.0 for hit in found.hits), reverse=True)
    total = found.asking.total
    says = [one.says for one in found.evidence]
    around = [one.around for one in found.evidence]
    whole = [found.asking.share(hit.text, hit.language) for hit in found.hits]
    values = [
        *_ahead([score / total for score in words]),
        max(whole, default=0.0),
        max(says, default=0.0),
        max(around, default=0.0),
    ]
    if opened.encodes:
        cosines = opened.near(question, [hit.passage for hit in found.hits])
        near = [one.near for one in found.evidence if one.near is not None]
        values += [*_ahead(list(cosines.values())), *_ahead(near)]
    return values


def _ahead(values: Sequence[float]) -> tuple[float, float]:
    """The largest, and how far it is ahead of the mean of the few that follow."""
    first, *rest = [*sorted(values, reverse=True)[:6], 0.0][: max(1, min(6, len(values)))]
    return first, first - (float(np.mean(rest)) if rest else 0.0)


def _refusal(opened: OpenIndex) -> Refusal | None:
    """What was settled for this index, or is settled now."""
    if (kept := opened.learned().get(_NAME)) is not None:
        return Refusal(**kept)
    made = opened.made()
    if len(made) < _FEWEST:
        return None
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    with opened.progress.bar("learning when to refuse", len(made), "questions") as advance:
        for one in made:
            for side, without in zip(sides, (None, one), strict=True):
                found = opened.find(one.question, without=without)
                side.append(signs(opened, one.question, found))
            advance(1)
    weights = VECTORS if opened.encodes else WORDS
    refusal = settle_refusal(np.array(sides[0]), np.array(sides[1]), weights)
    opened.keep(_NAME, refusal._asdict())
    return refusal
