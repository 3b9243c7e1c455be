"""Words, lines and hashes of a batch are those of each document alone."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.corpus.texts import Texts, grams

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
    assert batch.characters.tolist() == [len(text) for text in documents]
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
        assert batch.bytes.tolist() == [len(text) for text in documents]
        assert not np.any(batch.per_document(batch.words))
