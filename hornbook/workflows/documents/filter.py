"""`hornbook filter`: which documents meet a criterion. Every document is looked at.

Of each document the passages that say most of the criterion are judged: by a decoder's likelihood,
by a classifier of one's own, or without a model by the criterion's vector and words
(`retrieve.relevance`), or by words alone, weighed by what tells documents apart for questions made
of this index.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hornbook.core.errors import UsageError, unknown
from hornbook.generate.decide import question_of
from hornbook.retrieve.all_of_it import bare
from hornbook.retrieve.evidence import AnswerCandidate, Asking, Evidence, ranked
from hornbook.retrieve.quotes import TextPlace, quote
from hornbook.retrieve.refusal import Refusal, settle_refusal
from hornbook.retrieve.relevance import Relevance, with_prior
from hornbook.retrieve.store import IndexedDocument
from hornbook.retrieve.unrelated import unrelated
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.pointing import is_chinese
from hornbook.workflows.documents.strength import Strength, strength

if TYPE_CHECKING:
    from hornbook.workflows.open.classifier import Classifier

_PASSAGES = 3
"""Of a document, those that are judged."""
_SENTENCES = 400
"""Of the likeliest documents, those whose vectors are made: a passage says many things, a sentence
says one."""
_NAME, _FEWEST, _DIFFERENT = "what is enough", 30, 5
"""The name of what is learned; made questions and documents without which nothing is."""
_ENOUGH = 0.6
"""Share of a criterion's words, by rarity, that must stand in a passage, where no model judges and
the index is too small to learn from."""
_ASKED = {
    False: "Does the text meet this criterion: {}?",
    True: "这段文字符合这个条件吗：{}？",
}


class Best(NamedTuple):
    """What of a document says most of a criterion. share, near: the most that a passage has; near
    is 0 without vectors. sentences: of its best passages. sentence: the best of them."""

    passages: list[TextPlace]
    share: float
    near: float
    sentences: list[AnswerCandidate]
    sentence: Evidence | None


class _Verdict(NamedTuple):
    """The probability that a document meets the criterion."""

    document: IndexedDocument
    best: Best
    probability: float


Judged = Callable[[IndexedDocument, Best], float]
Together = Callable[[list[_Verdict]], list[_Verdict]]


class _By(NamedTuple):
    """Who judges. calibration: what the probabilities were corrected by. judged: the probability of
    a document; together: all of them, looked at once more. strength: of a decoder."""

    name: str
    calibration: str
    judged: Judged
    together: Together = list
    strength: Strength | None = None


def filter_documents(
    opened: OpenIndex, criterion: str, model: Path | None = None, device: str | None = None
) -> dict[str, Any]:
    """rows, the likeliest first, one for every document; by, calibration, looked_at.

    Raises UsageError for an empty criterion, a model that cannot judge, or a classifier that has
    no such label.
    """
    if not criterion.strip():
        raise UsageError("There is nothing to filter by: the criterion is empty.")
    asking = Asking(opened.index, bare(criterion))
    by, near = _by(opened, asking, criterion, model, device), opened.near_all(asking.question)
    verdicts: list[_Verdict] = []
    with opened.progress.bar("filtering", len(opened.documents), "documents") as advance:
        for document in opened.documents:
            best = best_of(opened, asking, document, near)
            verdicts.append(_Verdict(document, best, by.judged(document, best)))
            advance(1)
    ordered = sorted(by.together(verdicts), key=lambda one: (-one.probability, one.document.id))
    rows = [_row(opened, *one) for one in ordered]
    found = {
        "criterion": criterion,
        "model": None if model is None else str(model),
        "by": by.name,
        "calibration": by.calibration,
        "rows": rows,
        "looked_at": {"documents": len(rows), "of": opened.state.documents},
    }
    return found if by.strength is None else {**found, "strength": by.strength.plain()}


def best_of(
    opened: OpenIndex, asking: Asking, document: IndexedDocument, near: Mapping[int, float]
) -> Best:
    """The passages of a document that say most of what is asked, and the best sentence of them.

    near: the cosines of passages to it, by their numbers; empty without vectors.
    """
    scored = []
    for one in opened.index.passages(document.id):
        place = TextPlace(one.document, one.start, one.end)
        share = asking.share(f"{document.title} {opened.index.text(*place)}", document.language)
        scored.append((share, near.get(one.id, 0.0), place))
    if not scored:
        return Best([], 0.0, 0.0, [], None)
    share, nearest = max(one[0] for one in scored), max(one[1] for one in scored)
    scored.sort(key=lambda one: (-one[0] / (share or 1.0) - one[1] / (nearest or 1.0), one[2]))
    top = scored[:_PASSAGES]
    sentences = [one for fits, _, place in top for one in _sentences(opened, document, place, fits)]
    evidence = ranked(asking, sentences, None)
    # What only repeats the criterion is no answer to a question, but it does mention it.
    best = max(evidence, key=lambda one: (one.says, one.score), default=None)
    return Best([place for *_, place in top], share, nearest, sentences, best)


def _sentences(
    opened: OpenIndex, document: IndexedDocument, place: TextPlace, fits: float
) -> list[AnswerCandidate]:
    spans = opened.index.sentences(*place)
    places = [TextPlace(document.id, span.start, span.end) for span in spans]
    texts = [opened.index.text(*one) for one in places]
    return [
        AnswerCandidate(one, text, (), document.language, fits)
        for one, text in zip(places, texts, strict=True)
    ]


def _row(
    opened: OpenIndex, document: IndexedDocument, best: Best, probability: float
) -> dict[str, Any]:
    sentence = best.sentence
    return {
        "document": document.id,
        "source": document.source,
        "title": document.title,
        "characters": document.characters,
        "meets": probability >= 0.5,
        "probability": probability,
        "evidence": None if sentence is None else quote(opened.index, sentence.place).plain(),
    }


def _by(
    opened: OpenIndex, asking: Asking, criterion: str, model: Path | None, device: str | None
) -> _By:
    """Who judges, and how."""
    if model is None:
        return _without_model(opened, asking)
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.use.decide import open_judge

    judge = opened.known(model) or open_judge(model, device, opened.progress)
    if not isinstance(judge, Decoder):
        return _by_label(opened, criterion, judge)
    decider = judge.decider

    def likely(text: str, asked: str) -> float:
        question = question_of(_ASKED[is_chinese(asked)].format(asked))
        (found,) = decider.decide(text, [question])
        return found.probabilities[question.choices[0]]

    def judged(document: IndexedDocument, best: Best) -> float:
        return likely(_text(opened, document, best), criterion) if best.passages else 0.0

    measured = strength(opened, model, "filter", likely)
    if measured is not None and measured.is_weak:
        return _without_model(opened, asking)._replace(strength=measured)
    return _By("decoder", "content-free", judged, strength=measured)


def _by_label(opened: OpenIndex, label: str, judge: "Classifier") -> _By:
    """By a classifier, whose label is the criterion; the whole document is read."""
    if label not in judge.labels:
        raise unknown("label", label, judge.labels)

    def judged(document: IndexedDocument, best: Best) -> float:
        return judge.classify(opened.index.text(document.id)).probabilities[label]

    return _By("classifier", "classifier", judged)


def _without_model(opened: OpenIndex, asking: Asking) -> _By:
    """By the criterion's vector and words; by words alone where there are no vectors."""
    if not opened.encodes:
        return _by_words(opened)
    languages = [one.language for one in opened.documents]
    nothing = opened.vectors(unrelated(max(set(languages), key=languages.count, default="")))
    relevance = Relevance.of(nothing @ opened.vector(asking.question), asking.question)

    def judged(document: IndexedDocument, best: Best) -> float:
        return relevance.probability(best.share, best.near)

    def together(verdicts: list[_Verdict]) -> list[_Verdict]:
        found = _by_sentences(opened, asking, relevance, verdicts)
        corrected = with_prior([one.probability for one in found])
        return [one._replace(probability=p) for one, p in zip(found, corrected, strict=True)]

    return _By("encoder", "unrelated sentences", judged, together)


def _by_sentences(
    opened: OpenIndex, asking: Asking, relevance: Relevance, verdicts: Sequence[_Verdict]
) -> list[_Verdict]:
    """The verdicts, those of the likeliest documents by their nearest sentence as well; that is
    their evidence."""
    order = sorted(verdicts, key=lambda one: -one.probability)
    ends = itertools.accumulate(len(one.best.sentences) for one in order)
    looked = [one for one, end in zip(order, ends, strict=True) if end <= _SENTENCES]
    texts = [one.text for verdict in looked for one in verdict.best.sentences]
    cosines = (opened.vectors(texts) @ opened.vector(asking.question)).tolist() if texts else []
    found, start = order[len(looked) :], 0
    for verdict in looked:
        best = verdict.best
        near = cosines[start : start + len(best.sentences)]
        start += len(near)
        if near:
            sentence = ranked(asking, best.sentences, near)[0]
            best = best._replace(near=max(best.near, *near), sentence=sentence)
        probability = relevance.probability(best.share, best.near)
        found.append(verdict._replace(best=best, probability=probability))
    return found


def _by_words(opened: OpenIndex) -> _By:
    """By the share of the criterion's words: what tells the document that a question was made of
    from another, where the index is large enough to learn that."""
    learned = _learned(opened)
    if learned is None:
        return _By("words", "none", lambda document, best: min(1.0, 0.5 * best.share / _ENOUGH))

    def judged(document: IndexedDocument, best: Best) -> float:
        return 1 / (1 + math.exp(-learned.score(_signs(best))))

    return _By("words", "made questions", judged)


def _learned(opened: OpenIndex) -> Refusal | None:
    """What was learned of this index, or is now: each of its questions beside the document that it
    was made of and another. Both are as many, so half of all is where the score is 0."""
    if (kept := opened.learned(_NAME)) is not None:
        return Refusal(**kept)
    made = opened.made()
    if len(made) < _FEWEST or len(opened.documents) < _DIFFERENT:
        return None
    own, others = [], []
    with opened.progress.bar("learning what is enough", len(made), "questions") as advance:
        for number, one in enumerate(made):
            asking = Asking(opened.index, one.question)
            rest = [each for each in opened.documents if each.id != one.place.document]
            document = opened.index.document(one.place.document)
            own.append(_signs(best_of(opened, asking, document, {})))
            others.append(_signs(best_of(opened, asking, rest[number % len(rest)], {})))
            advance(1)
    learned = settle_refusal(np.array(own), np.array(others))
    opened.keep(_NAME, learned._asdict())
    return learned


def _signs(best: Best) -> list[float]:
    """What tells a document that holds a question's words from others."""
    says = 0.0 if best.sentence is None else best.sentence.says
    return [best.share, says]


def _text(opened: OpenIndex, document: IndexedDocument, best: Best) -> str:
    """What is judged of a document: its title, and the passages in their order."""
    parts: Sequence[str] = [opened.index.text(*place) for place in sorted(best.passages)]
    return "\n\n".join([*([document.title] if document.title else []), *parts])
