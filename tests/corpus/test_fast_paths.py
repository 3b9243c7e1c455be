"""What is done in bulk for speed gives what the plain way, in the words of its docstring, gives."""

import hashlib
import json
import random
from bisect import bisect_right
from collections import Counter

import numpy as np
import pyarrow as arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.corpus import measures
from hornbook.corpus.equal_keys import again, alike, with_first
from hornbook.corpus.language import language_of
from hornbook.read import documents
from hornbook.read.documents import content_hash

_SPACES = [c for c in map(chr, range(0x110000)) if c.isspace()]
TEXTS = st.text(
    st.sampled_from([*_SPACES, "a", "é", "春", "\u200b", "😀"]) | st.characters(codec="utf-8")
)


@given(TEXTS, st.sampled_from([3, 2**20]))
def test_the_content_hash_is_that_of_the_words(text, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_PIECE", piece)
        found = content_hash(text)
    plain = " ".join(text.split()).encode("utf-8")
    assert found == hashlib.blake2b(plain, digest_size=16).hexdigest()


@given(st.lists(TEXTS), st.sampled_from([3, 2**20]), st.integers(0, 2))
def test_measures_are_those_of_each_document_and_character(texts, piece, skipped):
    column = arrow.chunked_array([arrow.array(texts, arrow.large_string())]).slice(skipped)
    fields = [json.dumps({"text_field": text} if len(text) > 2 else {"a": text}) for text in texts]
    metadata = arrow.chunked_array([arrow.array(fields, arrow.string())]).slice(skipped)
    counted = measures.TextMeasures()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_PIECE", piece)
        counted.add(column, metadata)
    texts = texts[skipped:]
    joined = "".join(texts)
    starts, names = zip(*measures._SCRIPTS, strict=True)
    expected = Counter(["signs", *names][bisect_right(starts, ord(c))] for c in joined)
    letters = max(1, len(joined) - expected["signs"])
    assert counted.scripts() == {
        name: count / letters for name, count in expected.items() if name != "signs"
    }
    assert counted.characters == len(joined)
    assert counted.fields == Counter(text for text in texts if len(text) > 2)
    lengths = {bin["to"]: bin["documents"] for bin in counted.lengths() if bin["documents"]}
    assert lengths == Counter(2 ** len(text).bit_length() for text in texts)


@pytest.mark.parametrize("refused", ["\x00", "\x1f", "\x7f", "\x85", "\ufdd0", "\ufffe", "\f"])
def test_a_control_character_hides_no_language(refused):
    text = "The river was calm and the boats lay still at noon."
    assert language_of(text.replace("calm", f"calm{refused}")) == language_of(
        text.replace("calm", "calm ")
    )


def test_a_preface_in_another_language_is_not_the_book():
    english = "the river was calm and boats lay still at noon when her brother came home"
    german = "der Fluss war ruhig und die Boote lagen mittags still als ihr Bruder heimkam"
    draw = random.Random(0)  # what is repeated word for word is not counted
    preface, book = (" ".join(draw.choices(w.split(), k=20_000)) for w in (english, german))
    found = language_of(preface + book * 3)
    assert found.code == "de"
    assert 0.5 < found.share < 0.9  # three of four parts


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1)))
def test_equal_keys_are_side_by_side_and_in_order(values):
    # Spread over all bits, as hashes are.
    keys = np.array(values, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    order = alike(keys)
    order = order[with_first(again(keys[order]))]
    places = {}
    for place, key in enumerate(keys.tolist()):
        places.setdefault(key, []).append(place)
    groups = sorted(group for group in places.values() if len(group) > 1)
    cuts = np.flatnonzero(~again(keys[order]))[1:]
    assert sorted(part.tolist() for part in np.split(order, cuts) if len(part)) == groups
