"""Words, lines and hashes of a batch are those of each document alone."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.corpus.texts import Spans, Texts, grams

PIECES = st.sampled_from(
    [
        *["word", "a", " ", "  ", "\n", "\n\n", " \n \n", "\t", "春", "眠", "。", "，", "ア"],
        *["é", "naïve", "…", "한국"],
    ]
)
DOCUMENTS = st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6)
_SINGLE = "[\u3040-\u9fff]"
_BREAK = r"[ \t\n\r\v\f\u3000-\u303f\uff00-\uff20]"


def words(text):
    return re.findall(rf"{_SINGLE}|(?:(?!{_SINGLE}|{_BREAK}).)+", text, re.DOTALL)


def spelled(batch, spans):
    found = [[] for _ in range(batch.count)]
    for start, stop, owner in zip(*spans, strict=True):
        found[owner].append(batch.data[start:stop].tobytes().decode())
    return found


@given(DOCUMENTS)
def test_the_batch_is_cut_as_each_document_would_be(documents):
    batch = Texts(documents)
    assert spelled(batch, batch.words) == [words(text) for text in documents]
    stripped = [[x.strip() for x in text.split("\n") if x.strip()] for text in documents]
    assert spelled(batch, batch.lines) == stripped
    blocks = [[x.strip() for x in re.split(r"\n\s*\n", t) if x.strip()] for t in documents]
    assert spelled(batch, batch.paragraphs) == blocks
    assert batch.lengths(batch.words).tolist() == [len(w) for t in documents for w in words(t)]


@given(DOCUMENTS)
def test_hashes_are_equal_for_equal_words_only(documents):
    batch = Texts(documents)
    spellings = [word for document in spelled(batch, batch.words) for word in document]
    hashes = batch.hashes(batch.words).tolist()
    assert len(set(zip(spellings, hashes, strict=True))) == len(set(spellings)) == len(set(hashes))
    again = batch.repeated(batch.hashes(batch.words), batch.words.owners)
    expected = [w in text[:i] for text in map(words, documents) for i, w in enumerate(text)]
    assert again.tolist() == expected


@given(DOCUMENTS, st.integers(2, 4))
def test_runs_of_words_stay_within_a_document(documents, size):
    batch = Texts(documents)
    found, starts = grams(batch.hashes(batch.words), batch.words.owners, size)
    runs = [tuple(t[i : i + size]) for t in map(words, documents) for i in range(len(t) - size + 1)]
    assert len(found) == len(starts) == len(runs)
    assert sorted(Counter(found.tolist()).values()) == sorted(Counter(runs).values())


@given(DOCUMENTS)
def test_words_that_recur_are_all_runs_of_several(documents):
    batch = Texts(documents)
    texts = [words(document) for document in documents]
    starts = np.cumsum([0, *map(len, texts)])
    for size in (1, 2, 3, 5):
        groups = {}
        for owner, text in enumerate(texts):
            for i in range(len(text) - size + 1):
                run = (owner, *text[i : i + size])
                groups.setdefault(run, []).append(int(starts[owner]) + i)
        runs = batch.recurring(size)
        cuts = np.flatnonzero(runs.first)[1:]
        found = [g.tolist() for g in np.split(runs.places, cuts) if len(g)]
        assert sorted(found) == sorted(group for group in groups.values() if len(group) > 1)
    assert batch.word_characters.tolist() == [sum(map(len, text)) for text in texts]


@given(DOCUMENTS, st.lists(PIECES, min_size=1, max_size=3))
def test_how_lines_begin_and_end(documents, pieces):
    batch = Texts(documents)
    lines = [line for document in spelled(batch, batch.lines) for line in document]
    begun, ended = batch.begin_with(batch.lines, pieces), batch.end_with(batch.lines, pieces)
    assert begun.tolist() == [line.startswith(tuple(pieces)) for line in lines]
    assert ended.tolist() == [line.endswith(tuple(pieces)) for line in lines]


@given(DOCUMENTS, PIECES)
def test_what_is_found_lies_in_its_document_and_line(documents, piece):
    batch = Texts(documents)
    places = batch.find(piece)
    expected = [len(re.findall(f"(?={re.escape(piece)})", text)) for text in documents]
    assert batch.counted(places).tolist() == expected
    lines = [line for document in spelled(batch, batch.lines) for line in document]
    if not piece.isspace():
        expected = [len(re.findall(f"(?={re.escape(piece)})", line)) for line in lines]
        assert batch.held(batch.lines, places).tolist() == expected
        some = Spans(*(part[::2] for part in batch.lines))
        places = places[np.isin(places, batch.find(piece, some))]
        assert batch.held(batch.lines, places).tolist() == [
            count * (i % 2 == 0) for i, count in enumerate(expected)
        ]


@pytest.mark.parametrize(("needle", "counts"), [("lorem ipsum", [2, 0, 0]), ("{", [0, 1, 0])])
def test_strings_are_found_in_any_case_and_never_across_documents(needle, counts):
    batch = Texts(["Lorem ipsum, LOREM IPSUM. lorem", " ipsum {", ""])
    assert batch.counted(batch.find(needle)).tolist() == counts


def test_nothing_at_all():
    for documents in ([], [""], ["", "\n", ""]):
        batch = Texts(documents)
        assert (
            len(batch.words.starts) == len(batch.lines.starts) == len(batch.paragraphs.starts) == 0
        )
        assert len(batch.edges) == len(documents) + 1
        assert not np.any(batch.per_document(batch.words))
