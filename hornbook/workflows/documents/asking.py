"""An index made ready to answer: its encoder, what was learned of it, and what a question finds.

What is learned of an index (whether a model is any good for it) is kept in its settings, with
the generation that it is of, and learned again where that differs.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.retrieve.evidence import AnswerCandidate, Asking, Evidence, candidates, ranked
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.made_questions import MadeQuestion, made_questions
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.search import Hit
from hornbook.retrieve.store import Store
from hornbook.retrieve.vectors import ENCODER
from hornbook.workflows.documents.encoders import open_encoder
from hornbook.workflows.documents.searching import asking

if TYPE_CHECKING:
    from hornbook.workflows.open.encoder import Encoder

_LEARNED = "learned"
"""The setting of an index that holds what was learned of it."""
_HITS, _QUESTIONS = 5, 80
_WHOLE = 12_000
"""Characters of a collection that is read whole."""
_LONGEST = 128
"""Tokens of a sentence that are read."""


class Finding(NamedTuple):
    """What a question found. whole: all of the collection was read."""

    asking: Asking
    hits: list[Hit]
    evidence: list[Evidence]
    whole: bool


class OpenIndex:
    """An index with its encoder. Use it in a `with` of its index."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self._encoder: Encoder | None = None
        self._known: dict[str, np.ndarray] = {}
        self._asked: dict[str, np.ndarray] = {}
        DocumentIndex.open(folder).close()  # before anything is said of its model
        there = asking(folder, "both", progress.say) is not None
        encode = self._vector if there else None
        self.index = DocumentIndex.open(folder, encode)
        self._settings: Any = self.index.store.setting(ENCODER)
        self.encodes = encode is not None
        self.state = self.index.state()
        self.documents = self.index.documents()

    def find(self, question: str, without: MadeQuestion | None = None) -> Finding:
        """The sentences that answer best. without: a made question whose passage is left out."""
        asking = Asking(self.index, question)
        hits = self.index.search(question, _HITS + 1, "both")
        if without is not None:
            hits = [hit for hit in hits if not _holds(hit, without)]
        hits = hits[:_HITS]
        whole = without is None and sum(d.characters for d in self.documents) <= _WHOLE
        sentences = self._all_of_it(hits) if whole else candidates(self.index, hits)
        near = None
        if self.encodes and sentences:
            rows = self.vectors([one.text for one in sentences])
            near = (rows @ self._vector(question)).tolist()
        return Finding(asking, hits, ranked(asking, sentences, near), whole)

    def _all_of_it(self, hits: Sequence[Hit]) -> list[AnswerCandidate]:
        """All sentences of a collection that fits, those of passages that were found first."""
        found = {one.place: one for one in candidates(self.index, hits)}
        for document in self.documents:
            spans = self.index.sentences(document.id)
            texts = [self.index.text(document.id, span.start, span.end) for span in spans]
            for i, span in enumerate(spans):
                around = " ".join(texts[max(0, i - 1) : i + 2])
                place = TextPlace(document.id, span.start, span.end)
                one = AnswerCandidate(place, texts[i], around, document.language, 0.0)
                found.setdefault(place, one)
        return list(found.values())

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) of sentences; each is made once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            rows = self._opened().embed(new, _LONGEST, "passage")
            self._known |= dict(zip(new, rows, strict=True))
        found: np.ndarray = np.stack([self._known[text] for text in texts])
        return found

    def _vector(self, question: str) -> np.ndarray:
        found: np.ndarray = self._opened().embed(question, prompt="query")
        return found

    def _opened(self) -> "Encoder":
        if self._encoder is None:
            self._encoder = open_encoder(self._settings)
        return self._encoder

    def near(self, question: str, passages: Sequence[int]) -> dict[int, float]:
        """The cosines of passages to a question, of those that have vectors."""
        if not self.encodes:
            return {}
        if question not in self._asked:
            self._asked = {question: self._vector(question)}
        return self.index.cosines(self._asked[question], passages)

    def made(self) -> list[MadeQuestion]:
        """Questions of its own sentences."""
        return made_questions(self.index, _QUESTIONS)

    def learned(self) -> dict[str, Any]:
        """What was learned of the index as it is now."""
        values: dict[str, Any] | None = self.index.store.setting(_LEARNED)
        return values if values and values["of"] == self._of() else {"of": self._of()}

    def keep(self, name: str, value: Any) -> None:
        """Keep what was learned; where the index cannot be written, it is learned again."""
        with contextlib.suppress(sqlite3.OperationalError, HornbookError):
            store = Store.create(self.folder)
            try:
                store.keep(_LEARNED, {**self.learned(), name: value})
            finally:
                store.close()

    def _of(self) -> list[Any]:
        return [self.state.generation, self.state.vectors, self._settings]


def _holds(hit: Hit, made: MadeQuestion) -> bool:
    document, start, end = made.place
    return hit.document == document and hit.start < end and hit.end > start
