"""Search: passages by words, by vectors, or by both together, the best first.

Both together is a weighted sum of scores: that of the words as a share of the best one's, that of
the vectors between the worst and the best of all that either found. Knows an open index.
"""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hornbook.core.errors import UsageError
from hornbook.retrieve.hits import Shown, highlights, outline, snippet, twin
from hornbook.retrieve.question import AskedWords, asked_words
from hornbook.retrieve.sentences import Span
from hornbook.retrieve.store import FoundPassage, Store
from hornbook.retrieve.vectors import MOSTLY, VectorIndex
from hornbook.retrieve.where import Where
from hornbook.retrieve.words import Among, Ranked, WordIndex

if TYPE_CHECKING:
    import numpy as np

By = Literal["both", "words", "vectors"]
BY: tuple[By, ...] = ("both", "words", "vectors")
Encode = Callable[[str], "np.ndarray"]
"""The vector of a question: (D,) float32 of length one."""

WEIGHT = "vector_weight"
"""The setting that says how much vectors count beside words, 0 to 1."""
DEFAULT_WEIGHT = 0.5
_CANDIDATES = 100
"""Passages that words and vectors each propose, at least."""
_TWICE, _MORE, _BESIDE = 2, 4, 4
"""Of what is asked for by words alone, of which hardly any say the same; of what was too little;
and passages that are looked at beside as many as are asked for."""
_WIDEST, _FOLD = 1_000, 8
"""Passages, and of what is asked for, from which on a search ends with fewer hits, where the best
all say the same. Else each question to a collection of alike rows would read all of it."""


class Copy(NamedTuple):
    """A passage that says the same as a hit."""

    document: int
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: `text` is the document's from `start` up to `end`, character by
    character.

    document: its number. record: that of the document in its file, from 1. page: that of `start`,
    from 1, where the document has pages; page_starts: where others begin in the passage. score: of
    one search, larger is better; words and vector: BM25 and cosine, rerank: what a reranker said;
    None where one did not look.
    asked: the terms of the question. copies: passages of about the same words.
    """

    document: int
    source: str
    title: str
    language: str
    record: int
    page: int | None
    start: int
    end: int
    text: str
    score: float
    words: float | None
    vector: float | None
    passage: int
    asked: frozenset[str]
    page_starts: tuple[int, ...] = ()
    copies: list[Copy] = field(default_factory=list)
    rerank: float | None = None

    def page_at(self, place: int) -> int | None:
        """The page of a character of the document that is in the passage."""
        return None if self.page is None else self.page + bisect_right(self.page_starts, place)

    def highlights(self) -> list[Span]:
        """Where the words of the question stand, in characters of `text`."""
        found = highlights(self.text, self.language, self.asked)
        return found or highlights(self.text, "", self.asked)  # of a short text it is not sure

    def snippet(self) -> Shown:
        """The part of `text` to show, in characters of it."""
        return snippet(self.text, self.highlights())

    def plain(self) -> dict[str, Any]:
        """As JSON has it. All places are characters of the document."""
        shown = self.snippet()
        spans = [(self.start + span.start, self.start + span.end) for span in self.highlights()]
        return {
            "document": self.document,
            "source": self.source,
            "title": self.title,
            "language": self.language,
            "record": self.record,
            "page": self.page,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "score": self.score,
            "words": self.words,
            "vector": self.vector,
            "rerank": self.rerank,
            "snippet": {"start": self.start + shown.start, "end": self.start + shown.end},
            "highlights": [
                {"start": start, "end": end, "page": self.page_at(start)} for start, end in spans
            ],
            "copies": [copy._asdict() for copy in self.copies],
        }


class SearchRequest(NamedTuple):
    """A question and how it is searched for."""

    question: str
    most: int
    by: By
    where: Where


class Candidate(NamedTuple):
    """A passage with its score, and what it is made of."""

    passage: int
    score: float
    words: float | None
    vector: float | None


class Searching:
    """An index as a search sees it. encode: None where vectors cannot be asked."""

    def __init__(
        self, store: Store, words: WordIndex, vectors: VectorIndex | None, encode: Encode | None
    ) -> None:
        self.store, self.words, self.vectors, self.encode = store, words, vectors, encode
        self._languages: tuple[int, list[str]] = (-1, [])
        self._vectors: tuple[tuple[int, int], bool] = ((-1, 0), False)

    def hits(self, asked: SearchRequest) -> list[Hit]:
        """The best passages; those that the store no longer has, or whose file is gone, are left
        out. Raises UsageError for vectors where there are none.
        """
        words = asked_words(asked.question, self.languages())
        documents = self._documents(asked.where)
        wanted, enough = max(_CANDIDATES, asked.most * _MORE), asked.most
        if asked.by == "words":  # whose scores do not depend on how many are looked at
            wanted, enough = asked.most * _TWICE, asked.most + 1  # of the last one all copies, too
        widest = max(_WIDEST, asked.most * _FOLD)
        while True:
            ranked = self._ranked(asked, words, documents, wanted)
            found = self._shown(ranked, enough, words)
            if len(found) >= enough or len(ranked) < wanted or (found and wanted >= widest):
                return found[: asked.most]
            wanted *= _MORE

    def languages(self) -> list[str]:
        """Of the documents of the index, the most frequent first."""
        generation = self.store.generation
        if generation != self._languages[0]:
            rows = self.store.execute(
                "SELECT language FROM documents GROUP BY language ORDER BY count(*) DESC"
            )
            self._languages = generation, [row[0] for row in rows]
        return self._languages[1]

    def have_vectors(self) -> bool:
        """Whether vectors can be asked, and most passages have one."""
        if self.encode is None or not self.vectors:
            return False
        of = self.store.generation, len(self.vectors)
        if of != self._vectors[0]:
            made, count = (
                self.store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("vectors", "passages")
            )
            self._vectors = of, made >= max(1, MOSTLY * count)
        return self._vectors[1]

    def _documents(self, where: Where) -> Among | None:
        """The documents that may be found, or that may not, whatever is less; None for all."""
        if not where:
            return None
        clause, values = where.clause()
        select = "SELECT documents.id FROM documents JOIN files ON files.id = file WHERE"
        found = [row[0] for row in self.store.execute(f"{select} {clause}", values)]
        (count,) = self.store.execute("SELECT count(*) FROM documents").fetchone()
        if 2 * len(found) <= count:
            return Among(found, True)
        rows = self.store.execute(f"{select} NOT coalesce({clause}, 0)", values)
        return Among([row[0] for row in rows], False)

    def _ranked(
        self, asked: SearchRequest, words: AskedWords, documents: Among | None, count: int
    ) -> list[Candidate]:
        by_words = [] if asked.by == "vectors" else self.words.search(words.words, count, documents)
        if asked.by == "words":
            return [Candidate(*one, one.score, None) for one in by_words]
        if self.vectors is None or self.encode is None or not len(self.vectors):
            raise UsageError("This index has no vectors that can be asked; search by words.")
        cosines = self.vectors.cosines(self.encode(asked.question))
        by_vectors = cosines.best(count, self._passages(asked.where))
        if asked.by == "vectors":
            return [Candidate(*one, None, one.score) for one in by_vectors]
        weight = self.store.setting(WEIGHT)
        more = cosines.of([one.passage for one in by_words])
        return fused(by_words, by_vectors, more, DEFAULT_WEIGHT if weight is None else weight)

    def _passages(self, where: Where) -> "np.ndarray | None":
        """The passages that may be found; None for all."""
        if not where:
            return None
        import numpy as np

        clause, values = where.clause()
        rows = self.store.execute(
            "SELECT passages.id FROM passages JOIN documents ON documents.id = document "
            f"JOIN files ON files.id = file WHERE {clause}",
            values,
        )
        return np.fromiter((row[0] for row in rows), np.int64)

    def _shown(self, ranked: list[Candidate], most: int, words: AskedWords) -> list[Hit]:
        """As hits, those that say the same together."""
        found: list[Hit] = []
        seen: list[frozenset[str]] = []
        exactly: dict[str, int] = {}
        for one, there in self._there(ranked, most + _BESIDE):
            text, passage = there.text, there.passage
            same = exactly.get(text)
            if same is None:
                lines = outline(text)
                same = twin(lines, seen)
            if same is not None:
                copy = Copy(passage.document, there.source, passage.start, passage.end)
                found[same].copies.append(copy)
            elif len(found) == most:
                break
            else:
                found.append(_hit(one, there, words))
                exactly[text] = len(seen)
                seen.append(lines)
        return found

    def _there(
        self, ranked: list[Candidate], at_once: int
    ) -> Iterator[tuple[Candidate, FoundPassage]]:
        """Those that the store has, and whose files are there."""
        files = _Files()
        for start in range(0, len(ranked), at_once):
            some = ranked[start : start + at_once]
            passages = self.store.found([one.passage for one in some])
            for one in some:
                there = passages.get(one.passage)
                if there and not files.is_gone(there.path, there.root):
                    yield one, there


class _Files:
    """The files of hits, each looked at once."""

    def __init__(self) -> None:
        self._gone: dict[str, bool] = {}
        self._folders: dict[str, bool] = {}

    def is_gone(self, path: str, root: str) -> bool:
        """Whether a file is gone, but not the folder that it was found in, as on another
        machine."""
        if path not in self._gone:
            folder = os.path.dirname(path) if root == path else root  # noqa: PTH120
            if folder not in self._folders:
                self._folders[folder] = os.path.isdir(folder)  # noqa: PTH112
            self._gone[path] = self._folders[folder] and not os.path.lexists(path)
        return self._gone[path]


def _hit(one: Candidate, there: FoundPassage, words: AskedWords) -> Hit:
    passage, pages = there.passage, there.pages
    return Hit(
        document=passage.document,
        source=there.source,
        title=there.title,
        language=there.language,
        record=there.record,
        page=page_of(pages, passage.start),
        start=passage.start,
        end=passage.end,
        text=there.text,
        score=one.score,
        words=one.words,
        vector=one.vector,
        passage=passage.id,
        asked=words.terms,
        page_starts=tuple(
            pages[bisect_right(pages, passage.start) : bisect_left(pages, passage.end)]
        ),
    )


def page_of(pages: Sequence[int], place: int) -> int | None:
    """The page that a character is on, from 1; None where a document has no pages. pages: where
    they begin."""
    return bisect_right(pages, place) if pages else None


def fused(
    words: Sequence[Ranked], vectors: Sequence[Ranked], more: dict[int, float], weight: float
) -> list[Candidate]:
    """Both lists as one, the best first. more: cosines of passages that words found.

    weight: of the vectors, 0 to 1. A passage that only vectors found has no words in common with
    the question: BM25 gives it 0. Of one that has no vector yet, and of a single one, no vector
    says anything: it counts as its words do.
    """
    by_words = dict(words)
    by_vectors = more | dict(vectors)
    top = max(by_words.values(), default=0.0) or 1.0
    low, high = (f(by_vectors.values(), default=0.0) for f in (min, max))
    found = []
    for passage in by_words.keys() | by_vectors.keys():
        word, vector = by_words.get(passage), by_vectors.get(passage)
        share = (word or 0.0) / top
        near = share if vector is None or high == low else (vector - low) / (high - low)
        score = weight * near + (1 - weight) * share
        found.append(Candidate(passage, score, word, vector))
    return sorted(found, key=lambda one: (-one.score, one.passage))
