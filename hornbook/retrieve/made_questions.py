"""Questions made of an index's own sentences, to measure on: what is asked, and where it stands.

Nobody has asked them. A question keeps some of the rare words of a sentence, in its order, and has
some words of elsewhere, as people ask in other words than a text says it. That is enough to see how
answers found differ from answers that are not there, and no measure of understanding.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.terms import runs, stop_words
from hornbook.retrieve.unrelated import unrelated

_FEWEST, _SIZE = 5, (4, 8)
"""Words of content that a sentence must have, and those of a question."""
_OWN, _OWN_DENSE, _OWN_JOINED = (0.74, 0.18), (0.66, 0.18), (0.68, 0.2)
"""Of a question's words the share that is its sentence's: the mean and the standard deviation. So
much do people's questions share with what answers them, and so much do they differ in it; a mean
alone would draw a line that refuses all who ask in other words (docs/log.md)."""
_JOINED = frozenset(["da", "de", "fi", "hu", "nb", "nl", "nn", "no", "sv"])
"""Languages that join words and bend them: a question has fewer of them as its sentence does."""
_DENSE = "\u2e80"
"""Where scripts without spaces begin."""
_MANY = 150
"""Words of content of an index, from which on those of one sentence are elsewhere to another. In
less, what people ask in other words stands nowhere: questions made of its own words alone would
draw a line that refuses all of theirs."""
_RUN = (2, 4)
"""Characters of a script without spaces that stand for a word."""


class MadeQuestion(NamedTuple):
    """A question and the sentence that it was made of."""

    question: str
    place: TextPlace


def made_questions(
    index: DocumentIndex, count: int, seed: int = 0, repeated: bool = False
) -> list[MadeQuestion]:
    """At most `count` questions of sentences all over an index; the same ones by the same seed.

    repeated: where it has fewer such sentences, several questions are made of each, with words that
    stand nowhere in it where it has few itself.
    """
    draw = random.Random(seed)
    passages = index.store.execute("SELECT document, start, end FROM passages ORDER BY id")
    order = passages.fetchall()
    draw.shuffle(order)
    waiting = [_usable(index, TextPlace(*passage), draw) for passage in order[: count * 2]]
    words: list[tuple[TextPlace, list[str]]] = []
    languages = {one.id: one.language for one in index.documents()}
    while waiting and len(words) < count:  # one of each passage before there is a second of any
        found = [next(sentences, None) for sentences in waiting]
        words += [one for one in found if one is not None]
        waiting = [rest for rest, one in zip(waiting, found, strict=True) if one is not None]
    inside = [one for _, others in words[:count] for one in others]
    few = repeated and len(words) < count and len(set(inside)) < _MANY
    if repeated and words:
        words *= -(-count // len(words))
    del words[count:]
    made = []
    for place, own in words:
        language = languages[place.document]
        elsewhere = _outside(language) if few else inside
        made.append(MadeQuestion(_question(own, elsewhere, draw, language), place))
    return made


def _usable(
    index: DocumentIndex, passage: TextPlace, draw: random.Random
) -> Iterator[tuple[TextPlace, list[str]]]:
    """The sentences of a passage that have enough words of content, in any order."""
    language = index.document(passage.document).language
    spans = index.sentences(*passage)
    for span in draw.sample(spans, len(spans)):
        kept = _words(index.text(passage.document, span.start, span.end), language, draw)
        if len(kept) >= _FEWEST:
            yield TextPlace(passage.document, span.start, span.end), kept


def _words(text: str, language: str, draw: random.Random) -> list[str]:
    """The words of content of a sentence; pieces of it where it has no spaces."""
    stops = stop_words(language)
    found: list[str] = []
    for run in runs(text):
        if run[0] >= _DENSE:
            start = 0
            while start < len(run):
                found.append(run[start : (start := start + draw.randint(*_RUN))])
        elif run.casefold() not in stops:
            found.append(run)
    return found


@cache
def _outside(language: str) -> list[str]:
    """Words that stand in no document: those of unrelated sentences."""
    draw = random.Random(0)
    return [word for text in unrelated(language) for word in _words(text, language, draw)]


def _question(
    own: Sequence[str], elsewhere: Sequence[str], draw: random.Random, language: str
) -> str:
    """Some words of a sentence in their order, and others among them, each of anywhere."""
    dense = own[0][0] >= _DENSE
    usual = _OWN_DENSE if dense else _OWN_JOINED if language in _JOINED else _OWN
    size = min(len(own), draw.randint(*_SIZE))
    count = max(1, round(size * _share(draw, *usual)))
    said = [own[i] for i in sorted(draw.sample(range(len(own)), count))]
    others = [word for word in draw.choices(elsewhere, k=size) if word not in own]
    for word in others[: size - count]:
        said.insert(draw.randint(0, len(said)), word)
    return "".join(said) if dense else " ".join(said)


def _share(draw: random.Random, mean: float, spread: float) -> float:
    """Between 0 and 1, by a beta distribution of this mean and standard deviation."""
    total = mean * (1 - mean) / spread**2 - 1
    return draw.betavariate(mean * total, (1 - mean) * total)
