"""A question that the documents do not answer is refused, by a threshold of this very index.

It is found on questions made of the index's own sentences, each with its passage and without it,
and kept with what else was learned of the index: while it is made, so that no question waits.
Until that is done for its vectors, questions are judged by words, which takes a second or two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.progress import Progress
from hornbook.retrieve.refusal import VECTORS, WORDS, Refusal, as_people_ask, settle_refusal
from hornbook.workflows.documents.asking import Finding, OpenIndex, passage_of

_NAME = "refusal"
_QUESTIONS, _FEWER = 160, 40
"""Questions made of an index, and of one that is read whole, mostly several of a sentence."""


class RefusalVerdict(NamedTuple):
    """Whether a question is refused. score, threshold: of this index. false_refusals,
    false_answers: shares of the index's own questions that this threshold judges wrongly.
    questions, sentences: how many, of how many sentences. by: "words" or "vectors"."""

    refused: bool
    score: float
    threshold: float
    false_refusals: float
    false_answers: float
    questions: int
    sentences: int
    by: str

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        values = self._asdict()
        del values["refused"]
        return values


def judge(opened: OpenIndex, question: str, found: Finding) -> RefusalVerdict | None:
    """Whether a question is refused by what it found; None where no sentence of the index has
    words enough to make a question of."""
    refusal = known(opened)
    if refusal is None and opened.encodes and not opened.small:
        plain = OpenIndex(opened.folder, opened.progress, "words")
        with plain.index:
            return judge(plain, question, plain.find(question))
    refusal = refusal or settle(opened)
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
        refusal.sentences,
        "vectors" if opened.encodes else "words",
    )


def signs(opened: OpenIndex, question: str, found: Finding) -> list[float]:
    """What tells an answer from none, in the order of the weights in `retrieve.refusal`.

    How well the best passage fits and how far it is ahead of the others; how much of the question,
    by rarity, stands in one passage, in one sentence, and in one with those beside it; and the
    cosines of passages and of sentences, where there are vectors. Sentences that say the opposite
    of what is asked are none.
    """
    evidence = [one for one in found.evidence if not one.against]
    words = sorted((hit.words or 0.0 for hit in found.hits), reverse=True)
    total = found.asking.total
    says = [one.says for one in evidence]
    around = [one.around for one in evidence]
    whole = [found.asking.share(hit.text, hit.language) for hit in found.hits]
    values = [
        *_ahead([score / total for score in words]),
        max(whole, default=0.0),
        max(says, default=0.0),
        max(around, default=0.0),
    ]
    if opened.encodes:
        near = [one.near for one in evidence if one.near is not None]
        values += [*_ahead(opened.cosines(question, found.hits)), *_ahead(near)]
    return values


def _ahead(values: Sequence[float]) -> tuple[float, float]:
    """The largest, and how far it is ahead of the mean of the few that follow."""
    first, *rest = [*sorted(values, reverse=True)[:6], 0.0][: max(1, min(6, len(values)))]
    return first, first - (float(np.mean(rest)) if rest else 0.0)


def known(opened: OpenIndex) -> Refusal | None:
    """What was settled for this index as it is, or None."""
    kept = opened.learned(_NAME)
    return None if kept is None else Refusal(**kept)


def settle(opened: OpenIndex) -> Refusal | None:
    """What is settled for this index, and kept; None where no questions can be made of it."""
    made = opened.made(_FEWER if opened.small else _QUESTIONS, repeated=True)
    if not made:
        return None
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    with opened.progress.bar("learning when to refuse", len(made), "questions") as advance:
        for one in made:
            for side, without in zip(sides, (None, passage_of(one)), strict=True):
                found = opened.find(one.question, without)
                side.append(signs(opened, one.question, found))
            advance(1)
    weights = VECTORS if opened.encodes else WORDS
    sentences = len({one.place for one in made})
    settled = settle_refusal(np.array(sides[0]), np.array(sides[1]), weights, sentences)
    refusal = as_people_ask(settled)
    opened.keep(_NAME, refusal._asdict())
    return refusal


def is_learned(folder: Path) -> bool:
    """Whether a first question to an index has nothing to wait for. A collection that is read whole
    is so small that nobody waits for it."""
    opened = OpenIndex(folder, Progress(quiet=True))
    with opened.index:
        return opened.small or known(opened) is not None


def learn_to_refuse(folder: Path, progress: Progress) -> None:
    """Settle what the first question to an index would wait for."""
    if not is_learned(folder):
        opened = OpenIndex(folder, progress)
        with opened.index:
            settle(opened)
