"""An index made ready to answer: its encoder, what was learned of it, and what a question finds."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hornbook.core.progress import Progress
from hornbook.retrieve.evidence import (
    AnswerCandidate,
    Asking,
    Evidence,
    candidates,
    neighbours,
    ranked,
)
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.made_questions import MadeQuestion, made_questions
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.search import By, Hit
from hornbook.retrieve.store import IndexedDocument
from hornbook.retrieve.vectors import ENCODER, MOSTLY, encoded_text
from hornbook.workflows.documents import learned
from hornbook.workflows.documents.encoders import open_encoder, open_quickly
from hornbook.workflows.documents.searching import asking

if TYPE_CHECKING:
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.quick_encoder import QuickEncoder

_HITS, _QUESTIONS = 5, 80
_WHOLE = 12_000
"""Characters of a collection that is read whole."""
_LONGEST = 128
"""Tokens of a sentence that are read."""
_FEW = 20_000
"""Characters that an encoder without torch reads sooner than torch is loaded."""

LeftOut = Callable[[TextPlace, str], bool]
"""Of the place and the text of a passage: whether a question is asked as if it were not there."""


class Finding(NamedTuple):
    """What a question found. whole: all of the collection was read."""

    asking: Asking
    hits: list[Hit]
    evidence: list[Evidence]
    whole: bool


class _Passage(NamedTuple):
    place: TextPlace
    text: str
    sentences: list[tuple[TextPlace, str]]


class OpenIndex:
    """An index with its encoder. Use it in a `with` of its index.

    by: "words" leaves vectors alone; so it is while most passages have none yet. encodes: whether
    vectors are used. small: whether the collection is read whole.
    """

    def __init__(self, folder: Path, progress: Progress, by: By = "both") -> None:
        self.folder, self.progress = folder, progress
        self._encoder: Encoder | None = None
        self._quick: QuickEncoder | None = None
        self._characters = 0
        self._decoders: dict[Path, Decoder] = {}
        self._known: dict[str, np.ndarray] = {}
        self._asked: dict[str, np.ndarray] = {}
        with DocumentIndex.open(folder) as index:  # before anything is said of its model
            self.state = index.state()
        enough = by != "words" and self.state.vectors >= max(1, MOSTLY * self.state.passages)
        self.encodes = enough and asking(folder, by, progress.say) is not None
        self.index = DocumentIndex.open(folder, self.vector if self.encodes else None)
        self._settings: Any = self.index.store.setting(ENCODER)
        self.documents = self.index.documents()
        self.small = sum(one.characters for one in self.documents) <= _WHOLE

    def find(self, question: str, without: LeftOut | None = None) -> Finding:
        """The sentences that answer best. without: passages that are left out."""
        asking = Asking(self.index, question)
        hits = self.index.search(question, _HITS if without is None else 2 * _HITS, "both")
        if without is not None:
            hits = [hit for hit in hits if not without(place_of(hit), hit.text)][:_HITS]
        sentences = candidates(self.index, hits)
        if self.small:
            sentences = self._all_of_it(sentences, without)
        near = None
        if self.encodes and sentences:
            rows = self.vectors([one.text for one in sentences])
            near = (rows @ self.vector(question)).tolist()
        return Finding(asking, hits, ranked(asking, sentences, near), self.small)

    def _all_of_it(
        self, found: Sequence[AnswerCandidate], without: LeftOut | None
    ) -> list[AnswerCandidate]:
        """All sentences of a collection that fits, those of passages that were found first."""
        every = {one.place: one for one in found}
        for document, passages in self._whole:
            kept = [
                sentence
                for place, text, sentences in passages
                if without is None or not without(place, text)
                for sentence in sentences
            ]
            texts = [text for _, text in kept]
            for i, (place, text) in enumerate(kept):
                beside = neighbours(texts, i)
                one = AnswerCandidate(place, text, beside, document.language, 0.0)
                every.setdefault(place, one)
        return list(every.values())

    @cached_property
    def _whole(self) -> list[tuple[IndexedDocument, list[_Passage]]]:
        """All passages of a collection that fits, by documents."""
        return [
            (
                document,
                [self._read(TextPlace(*one[1:])) for one in self.index.passages(document.id)],
            )
            for document in self.documents
        ]

    def _read(self, place: TextPlace) -> _Passage:
        places = [TextPlace(place.document, *span) for span in self.index.sentences(*place)]
        return _Passage(
            place, self.index.text(*place), [(one, self.index.text(*one)) for one in places]
        )

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) of sentences; each is made once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            rows = self._opened(sum(map(len, new))).embed(new, _LONGEST, "passage")
            self._known |= dict(zip(new, rows, strict=True))
        found: np.ndarray = np.stack([self._known[text] for text in texts])
        return found

    def vector(self, question: str) -> np.ndarray:
        """(D,) of a question."""
        if question not in self._asked:
            encoder = self._opened(len(question))
            self._asked = {question: encoder.embed([question], prompt="query")[0]}
        return self._asked[question]

    def _opened(self, characters: int) -> "Encoder | QuickEncoder":
        """An encoder for so many characters: the one that loads no torch, while they are few."""
        if self._encoder is not None:
            return self._encoder
        if not self._characters:
            self._quick = open_quickly(self.index.store)
        self._characters += characters
        if self._quick is not None and self._characters <= _FEW:
            return self._quick
        self._encoder = open_encoder(self._settings)
        return self._encoder

    def decoder(self, model: Path, device: str | None) -> "Decoder":
        """The model that points, opened once."""
        from hornbook.workflows.open.decoder import Decoder
        from hornbook.workflows.open.load import load

        if model not in self._decoders:
            self._decoders[model] = load(model, Decoder, device=device, say=self.progress.say)
        return self._decoders[model]

    def known(self, model: Path) -> "Decoder | None":
        """The model, where it is open already."""
        return self._decoders.get(model)

    @contextlib.contextmanager
    def lent(self, model: Path, decoder: "Decoder") -> Iterator[None]:
        """Inside, `decoder` is used as the model, which somebody else has opened."""
        self._decoders[model] = decoder
        try:
            yield
        finally:
            del self._decoders[model]

    def near(self, question: str, passages: Sequence[int]) -> dict[int, float]:
        """The cosines of passages to a question, of those that have vectors."""
        return self.index.cosines(self.vector(question), passages) if self.encodes else {}

    def cosines(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """Those of all passages that were found. Of one that has no vector yet, it is made: none
        would look as if it were far from the question."""
        known = self.near(question, [hit.passage for hit in hits])
        new = [hit for hit in hits if hit.passage not in known]
        if new:
            texts = [encoded_text(hit.title, hit.text) for hit in new]
            rows = self._opened(sum(map(len, texts))).embed(texts, prompt="passage")
            made = rows @ self.vector(question)
            known |= {hit.passage: float(one) for hit, one in zip(new, made, strict=True)}
        return [known[hit.passage] for hit in hits]

    def near_all(self, question: str) -> dict[int, float]:
        """The cosines of all passages that have vectors."""
        rows = self.index.store.execute("SELECT id FROM passages") if self.encodes else ()
        return self.near(question, [row[0] for row in rows])

    def made(self, count: int = _QUESTIONS, repeated: bool = False) -> list[MadeQuestion]:
        """Questions of its own sentences. repeated: several of each, where it has too few."""
        return made_questions(self.index, count, repeated=repeated)

    def learned(self, name: str) -> Any | None:
        """What was learned of the index, while that holds."""
        return learned.recall(self.index.store, self._basis, name)

    def keep(self, name: str, value: Any) -> None:
        """Keep what was learned of the index as it was when it was opened; of one that was still
        being made, nothing, as it says nothing of what it becomes."""
        whole = not self.encodes or self.state.vectors == self.state.passages
        if self.state.settled and whole:
            learned.keep(self.folder, self.state, self._basis, name, value)

    @property
    def _basis(self) -> Any:
        return self._settings if self.encodes else None


def place_of(hit: Hit) -> TextPlace:
    """Where a passage that was found stands."""
    return TextPlace(hit.document, hit.start, hit.end)


def passage_of(made: MadeQuestion) -> LeftOut:
    """Tells the passages that a question was made of."""
    document, start, end = made.place

    def is_its(place: TextPlace, text: str) -> bool:
        return place.document == document and place.start < end and place.end > start

    return is_its
