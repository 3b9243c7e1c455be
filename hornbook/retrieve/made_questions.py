"""Questions made of an index's own sentences, to measure on: what is asked, and where it stands.

Nobody has asked them. A question keeps some of the rare words of a sentence, in its order, and has
some words of elsewhere, as people ask in other words than a text says it. That is enough to see how
answers found differ from answers that are not there, and no measure of understanding.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.terms import runs, stop_words

_FEWEST, _KEPT = 5, (3, 7)
"""Words of content that a sentence must have, and how many of them a question keeps."""
_FOREIGN, _FOREIGN_DENSE = 0.4, 1.0
"""Words of elsewhere, for each that is kept; where the words of a question are no stop words, more.
Real questions share as much with what answers them (XQuAD: 0.70 of their words in English, 0.45 in
Chinese)."""
_RUN = 4
"""Characters of a script without spaces that stand for a word."""


class MadeQuestion(NamedTuple):
    """A question and the sentence that it was made of."""

    question: str
    place: TextPlace


def made_questions(
    index: DocumentIndex, count: int, seed: int = 0, repeated: bool = False
) -> list[MadeQuestion]:
    """At most `count` questions of sentences all over an index; the same ones by the same seed.

    repeated: where it has fewer such sentences, several questions are made of each.
    """
    draw = random.Random(seed)
    passages = index.store.execute("SELECT document, start, end FROM passages ORDER BY id")
    order = passages.fetchall()
    draw.shuffle(order)
    waiting = [_usable(index, TextPlace(*passage), draw) for passage in order[: count * 2]]
    words: list[tuple[TextPlace, list[str]]] = []
    while waiting and len(words) < count:  # one of each passage before there is a second of any
        found = [next(sentences, None) for sentences in waiting]
        words += [one for one in found if one is not None]
        waiting = [rest for rest, one in zip(waiting, found, strict=True) if one is not None]
    if repeated and words:
        words *= -(-count // len(words))
    del words[count:]
    return [
        MadeQuestion(_question(own, words[draw.randrange(len(words))][1], draw), place)
        for place, own in words
    ]


def _usable(
    index: DocumentIndex, passage: TextPlace, draw: random.Random
) -> Iterator[tuple[TextPlace, list[str]]]:
    """The sentences of a passage that have enough words of content, in any order."""
    language = index.document(passage.document).language
    spans = index.sentences(*passage)
    for span in draw.sample(spans, len(spans)):
        kept = _words(index.text(passage.document, span.start, span.end), language)
        if len(kept) >= _FEWEST:
            yield TextPlace(passage.document, span.start, span.end), kept


def _words(text: str, language: str) -> list[str]:
    """The words of content of a sentence; pieces of it where it has no spaces."""
    stops = stop_words(language)
    found: list[str] = []
    for run in runs(text):
        if run[0] >= "\u2e80":
            found += [run[i : i + _RUN] for i in range(0, len(run), _RUN)]
        elif run.casefold() not in stops:
            found.append(run)
    return found


def _question(own: Sequence[str], other: Sequence[str], draw: random.Random) -> str:
    size = min(len(own) - 1, draw.randint(*_KEPT))
    places = sorted(draw.sample(range(len(own)), size))
    foreign = [word for word in other if word not in own]
    dense = own[0][0] >= "\u2e80"
    count = round(size * (_FOREIGN_DENSE if dense else _FOREIGN))
    more = draw.sample(foreign, min(len(foreign), count))
    said = [own[i] for i in places]
    for word in more:
        said.insert(draw.randint(0, len(said)), word)
    return "".join(said) if dense else " ".join(said)
