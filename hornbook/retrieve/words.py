"""The word index: BM25 over the terms of passages, by tantivy, derived from the store.

It carries the generation of the store that it was made from, in the same commit as the rest, and is
brought up to date from there: what it does not know of is added, what was removed is deleted. A
folder that is lost or broken is made anew. Knows terms and numbers of passages.
"""

import contextlib
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, is_panic
from hornbook.core.lines import first_line
from hornbook.retrieve.store import Store
from hornbook.retrieve.terms import analyser, stemmed

FOLDER = "words"
_HEAP_BYTES = 128 * 2**20
_AT_ONCE = 50_000
"""Passages between two commits."""
_FORM = 1
"""Grows when texts have other terms than before, so that indexes are made anew."""
_SURE = 200
"""Characters of a text from which its language is not guessed."""
_MARK, _PASSAGE, _DOCUMENT, _TERMS = "mark", "passage", "document", "terms"


class Ranked(NamedTuple):
    """A passage and how well it fits."""

    passage: int
    score: float


class Among(NamedTuple):
    """Documents that alone are searched, or that are not."""

    documents: list[int]
    only: bool


class WordIndex:
    """The word index in a folder. Searches see the last commit."""

    def __init__(self, folder: Path) -> None:
        """Raises HornbookError where there is none, or it is broken."""
        import tantivy

        self._library, self._folder = tantivy, folder
        if not (folder / "meta.json").is_file():
            raise HornbookError(f"{folder} holds no word index.")
        with _broken_is_said(folder):
            self._index = tantivy.Index.open(str(folder))
            self._schema = self._index.schema
            self._seen = self._stamp()
            self._searcher = self._index.searcher()

    @classmethod
    def made(cls, folder: Path) -> "WordIndex":
        """The one that is there, or an empty one."""
        with contextlib.suppress(HornbookError):
            return cls(folder)
        _begin_anew(folder)
        return cls(folder)

    def _stamp(self) -> int:
        return (self._folder / "meta.json").stat().st_mtime_ns

    def refresh(self) -> None:
        """See what was committed since."""
        # It may be being made anew: what was, stays.
        with contextlib.suppress(OSError, HornbookError), _broken_is_said(self._folder):
            if (stamp := self._stamp()) != self._seen:
                self._index.reload()
                self._searcher, self._seen = self._index.searcher(), stamp

    def generation_of(self, store: Store) -> int:
        """That of the store up to which all is known here; 0 where it is none of this store. Raises
        HornbookError where it is broken."""
        with _broken_is_said(self._folder):
            hits = self._searcher.search(self._number(_MARK, _mark(store)), 1, count=False).hits
            found = self._numbers([address for _, address in hits])
        return found[0] if found and found[0] <= store.generation else 0

    def _number(self, field: str, value: int) -> Any:
        """The query for a number in a field. (Deleting by term misses unsigned fields.)"""
        return self._library.Query.term_query(self._schema, field, value)

    def _numbers(self, addresses: list[Any]) -> list[int]:
        if not addresses:
            return []
        values = self._searcher.fast_field_values(_PASSAGE, addresses)
        return [int(value or 0) for value in values]

    def search(
        self, words: Iterable[Sequence[str]], count: int, among: Among | None = None
    ) -> list[Ranked]:
        """The best passages for words, each given as the terms that it may stand for.

        among: the documents that are searched. Raises HornbookError where the folder is broken.
        """
        query_of, should = self._library.Query, self._library.Occur.Should
        parts = []
        for terms in words:
            each = [query_of.term_query(self._schema, _TERMS, term, "freq") for term in terms]
            parts.append(each[0] if len(each) == 1 else query_of.disjunction_max_query(each))
        if not parts or count < 1 or among == ([], True):
            return []
        query = query_of.boolean_query([(should, part) for part in parts])
        if among and among.documents:
            must, occur = self._library.Occur.Must, self._library.Occur
            named = query_of.term_set_query(self._schema, _DOCUMENT, among.documents)
            silent = query_of.const_score_query(named, 0.0)
            how = must if among.only else occur.MustNot
            query = query_of.boolean_query([(must, query), (how, silent)])
        with _broken_is_said(self._folder):
            hits = self._searcher.search(query, count, count=False).hits
            numbers = self._numbers([address for _, address in hits])
        return [Ranked(number, score) for number, (score, _) in zip(numbers, hits, strict=True)]

    def rarity(self, terms: Iterable[str]) -> dict[str, float]:
        """The inverse document frequency of terms, as BM25 has it."""
        count = self._searcher.num_docs
        with _broken_is_said(self._folder):
            seen = {term: self._searcher.doc_freq(_TERMS, term) for term in terms}
        return {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in seen.items()}

    def catch_up(
        self, store: Store, advance: Callable[[float], None] = lambda passages: None
    ) -> None:
        """Take over what the store has had added and removed since. advance: told of passages."""
        try:
            with _broken_is_said(self._folder):
                self._take_over(store, advance)
        except HornbookError:  # what a killed process left, or a disk, is in the way
            self._begin_anew()
            with _broken_is_said(self._folder):
                self._take_over(store, advance)

    def _begin_anew(self) -> None:
        _begin_anew(self._folder)
        self._index = self._library.Index.open(str(self._folder))
        self._searcher, self._seen = self._index.searcher(), self._stamp()

    def _take_over(self, store: Store, advance: Callable[[float], None]) -> None:
        since, now = self.generation_of(store), store.generation
        if since == now:
            return
        if not since and self._searcher.num_docs:
            self._begin_anew()
        writer = self._index.writer(_HEAP_BYTES)
        removed = store.execute("SELECT document FROM removed WHERE generation > ?", (since,))
        for (document,) in removed.fetchall():
            writer.delete_documents_by_query(self._number(_DOCUMENT, document))
        rows = store.execute(
            "SELECT generation, id, title, language, characters FROM documents "
            "WHERE generation > ? ORDER BY generation, id",
            (since,),
        ).fetchall()
        main = _main_language(store)
        added, done = 0, since
        for generation, document, title, language, characters in rows:
            languages = {language} if characters >= _SURE else {language, main, ""}
            if generation > done and added >= _AT_ONCE:
                self._commit(writer, _mark(store), done)
                added = 0
            texts = _terms(store.passage_texts(document), title, sorted(languages))
            count = self._add(writer, document, texts)
            added, done = added + count, generation
            advance(count)
        self._commit(writer, _mark(store), now)
        writer.wait_merging_threads()
        self.refresh()

    def _commit(self, writer: Any, of: int, generation: int) -> None:
        """What was added and deleted counts from here, and so does the generation."""
        writer.delete_documents_by_query(self._number(_MARK, of))
        mark = self._library.Document()
        mark.add_unsigned(_MARK, of)
        mark.add_unsigned(_PASSAGE, generation)
        writer.add_document(mark)
        writer.commit()

    def _add(self, writer: Any, document: int, texts: Iterable[tuple[int, str]]) -> int:
        """Add the passages of a document; how many they are."""
        count = 0
        for count, (passage, terms) in enumerate(texts, 1):  # noqa: B007
            row = self._library.Document()
            row.add_unsigned(_PASSAGE, passage)
            row.add_unsigned(_DOCUMENT, document)
            row.add_text(_TERMS, terms)
            writer.add_document(row)
        return count


@contextlib.contextmanager
def _broken_is_said(folder: Path) -> Iterator[None]:
    """Raises HornbookError for what the library has against its files inside."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, ValueError) and not is_panic(error):
            raise
        raise HornbookError(
            f"{folder} is no word index that can be opened: {first_line(str(error))[:300]}. "
            "Delete it; the next search makes it anew."
        ) from None


def _mark(store: Store) -> int:
    """What the index of a store is marked with: one of other terms is of no use."""
    return 2**8 * store.identity + _FORM


def _main_language(store: Store) -> str:
    """The language of most of the text."""
    row = store.execute(
        "SELECT language FROM documents GROUP BY language ORDER BY sum(characters) DESC LIMIT 1"
    ).fetchone()
    return row[0] if row else ""


def _terms(
    passages: Iterable[tuple[int, str]], title: str, languages: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Numbers of passages, and their terms with those of the title, a space between them.

    languages: several where it is not sure which one a text is in, "" for words as they are; a word
    has its terms in each.
    """
    first, *others = [analyser(language) for language in stemmed(languages)]

    def terms(text: str) -> str:
        found = first.terms(text)
        for other in others:
            found += set(other.terms(text)).difference(found)
        return " ".join(found)

    named = terms(title)
    for passage, text in passages:
        yield passage, f"{named} {terms(text)}"


def _begin_anew(folder: Path) -> None:
    """An empty index in place of what is there."""
    import tantivy

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    tantivy.Index(_schema(tantivy), path=str(folder))


def _schema(library: Any) -> Any:
    builder = library.SchemaBuilder()
    builder.add_unsigned_field(_MARK, indexed=True)
    builder.add_unsigned_field(_PASSAGE, fast=True)
    builder.add_unsigned_field(_DOCUMENT, indexed=True)
    builder.add_text_field(_TERMS, tokenizer_name="whitespace", index_option="freq")
    return builder.build()
