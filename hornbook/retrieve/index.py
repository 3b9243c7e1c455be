"""An index to read: its documents, their text, and search. The one door for all who ask.

    with DocumentIndex.open(folder) as index:
        for hit in index.search("notice period", count=5):
            assert index.text(hit.document, hit.start, hit.end) == hit.text

Whatever is given out of it was in the store at that moment.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.retrieve.lock import WRITER_LOCK, is_held
from hornbook.retrieve.question import asked_words
from hornbook.retrieve.reranking import Reranking
from hornbook.retrieve.search import BY, By, Encode, Hit, Searching, SearchRequest, page_of
from hornbook.retrieve.sentences import Span, sentences
from hornbook.retrieve.store import IndexedDocument, Store, StoredPassage
from hornbook.retrieve.vectors import ENCODER, VectorIndex
from hornbook.retrieve.vectors import FOLDER as VECTORS
from hornbook.retrieve.where import Where
from hornbook.retrieve.words import FOLDER as WORDS
from hornbook.retrieve.words import WordIndex

if TYPE_CHECKING:
    import numpy as np


class IndexState(NamedTuple):
    """How far an index is. words: whether the word index knows all passages. vectors: passages
    that have one, of `passages`. encoder: what made them, or None. writing: whether a process adds
    documents now."""

    documents: int
    passages: int
    vectors: int
    words: bool
    generation: int
    encoder: str | None
    writing: bool = False

    @property
    def settled(self) -> bool:
        """Whether it stays as it is until somebody changes it."""
        return self.words and not self.writing


class DocumentIndex:
    """An open index; close it, or use it in a `with`.

    encode: makes the vector of a question; without it only words are searched. reranking: puts what
    a search found first into another order.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        encode: Encode | None = None,
        reranking: Reranking | None = None,
    ) -> None:
        self.folder, self.store = folder, store
        self._encode, self._reranking = encode, reranking
        self._searching: Searching | None = None

    @classmethod
    def open(
        cls,
        folder: Path | str,
        encode: Encode | None = None,
        reranking: Reranking | None = None,
    ) -> Self:
        """The index in a folder. Raises UsageError where there is none."""
        return cls(Path(folder), Store.open(Path(folder)), encode, reranking)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of its files."""
        self.store.close()

    def documents(self, where: Where = Where()) -> list[IndexedDocument]:  # noqa: B008
        """All documents, or those that meet a condition, in the order in which they came."""
        clause, values = where.clause()
        return self.store.documents(
            "WHERE id IN (SELECT documents.id FROM documents JOIN files ON files.id = file "
            f"WHERE {clause})",
            values,
        )

    def document(self, id: int) -> IndexedDocument:
        """One document. Raises UsageError for a number that none has."""
        found = self.store.document(id)
        if found is None:
            raise UsageError(f"Document {id} is not in {self.folder}.")
        return found

    def text(self, document: int, start: int = 0, end: int | None = None) -> str:
        """The characters of a document from `start` up to `end`, as they were read; "" where the
        document is not there."""
        return self.store.text(document, start, end)

    def page(self, document: int, offset: int) -> int | None:
        """The page that a character is on, from 1; None where the document has no pages."""
        return page_of(self.document(document).pages, offset)

    def passages(
        self, document: int, start: int = 0, end: int | None = None
    ) -> list[StoredPassage]:
        """The passages that hold a character from `start` up to `end`, in order."""
        return self.store.passages(document, start, end)

    def sentences(self, document: int, start: int = 0, end: int | None = None) -> list[Span]:
        """The sentences that hold a character from `start` up to `end`, in the document's
        characters; a sentence is always the same one, whatever part is asked for."""
        language = self.document(document).language
        found = [
            Span(passage.start + span.start, passage.start + span.end)
            for passage in self.passages(document, start, end)
            for span in sentences(self.text(document, passage.start, passage.end), language)
        ]
        return [span for span in found if span.end > start and (end is None or span.start < end)]

    def search(
        self,
        query: str,
        count: int = 10,
        by: By = "both",
        where: Where = Where(),  # noqa: B008
    ) -> list[Hit]:
        """The best passages for a question, at most `count`.

        by: "words" (BM25), "vectors" (cosine), or "both", which is words alone while passages lack
        vectors or there is nothing to ask them with. Raises UsageError for vectors where there are
        none.
        """
        if by not in BY:
            raise unknown("way of searching", by, BY)
        searching, by = self._search(), self.way(by)
        if self._reranking is None:
            return searching.hits(SearchRequest(query, count, by, where))
        most = max(count, self._reranking.counting.read)
        hits = searching.hits(SearchRequest(query, most, by, where))
        return self._reranking.ranked(query, hits, by)[:count]

    def way(self, by: By) -> By:
        """How a search goes that is asked for: both are words alone until most passages have a
        vector, as those without one would be ranked by another measure than the others."""
        searching = self._search()
        return "words" if by == "both" and not searching.have_vectors() else by

    def asked_words(self, question: str) -> list[tuple[str, ...]]:
        """The words of a question, each as the terms that it may stand for in this index."""
        return asked_words(question, self._search().languages()).words

    def rarity(self, terms: Iterable[str]) -> dict[str, float]:
        """How rare each term is among the passages, by inverse document frequency."""
        return self._search().words.rarity(terms)

    def cosines(self, vector: "np.ndarray", passages: Sequence[int]) -> dict[int, float]:
        """How near passages are to a vector, of those that have one."""
        vectors = self._search().vectors
        return {} if vectors is None else vectors.cosines(vector).of(passages)

    def state(self) -> IndexState:
        """How far the index is, now."""
        counts = [
            self.store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("documents", "passages", "vectors")
        ]
        words = self._search().words.generation_of(self.store) == self.store.generation
        settings: Any = self.store.setting(ENCODER)
        encoder = settings["model"] if settings else None
        writing = is_held(self.folder / WRITER_LOCK)
        return IndexState._make((*counts, words, self.store.generation, encoder, writing))

    def _words(self) -> WordIndex:
        """The word index, brought up to date first where it is behind and nobody is at it."""
        try:
            words: WordIndex | None = WordIndex(self.folder / WORDS)
            assert words is not None
            behind = words.generation_of(self.store) != self.store.generation
            if not behind or is_held(self.folder / WRITER_LOCK):
                return words
        except HornbookError:
            words = None
        from hornbook.retrieve.writer import IndexWriter  # a search seldom needs it

        try:
            with IndexWriter(self.folder) as writer:
                writer.catch_up()
        except HornbookError:
            if words is not None:
                return words
            raise
        return WordIndex(self.folder / WORDS)

    def _search(self) -> Searching:
        """What searches, up to date."""
        if self._searching is None:
            vectors = None
            if self._encode is not None:
                vectors = VectorIndex(self.folder / VECTORS, self.store)
            words = self._words()
            self._searching = Searching(self.store, words, vectors, self._encode)
        else:
            self._searching.words.refresh()
            if self._searching.vectors is not None:
                self._searching.vectors.refresh()
        return self._searching
