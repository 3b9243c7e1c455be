"""Shards hold every token of every document, and lead back to it."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as parquet
import pytest

from hornbook.batches.shards import INDEX, TokenShards, write_shards
from hornbook.core.errors import HornbookError
from hornbook.read.documents import Document
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import QUIET

DOCUMENTS = [Document(f"d{i}", "word " * i + "字", "s") for i in range(1, 40)]


class Made(NamedTuple):
    shards: TokenShards
    tokenizer: object


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    texts = [document.text for document in DOCUMENTS]
    return train_tokenizer(texts, 300, tmp_path_factory.mktemp("made") / "tokenizer", QUIET)


@pytest.fixture(params=[10, 100, 2**20])
def made(request, tokenizer, tmp_path):
    (tmp_path / "shards").mkdir()
    write_shards(DOCUMENTS, tokenizer, tmp_path / "shards", QUIET, shard_tokens=request.param)
    return Made(TokenShards.open(tmp_path / "shards"), tokenizer)


def test_the_stream_is_all_documents_with_their_ends(made):
    shards, tokenizer = made
    expected = [i for d in DOCUMENTS for i in [*tokenizer.encode(d.text), tokenizer.eos_id]]
    assert shards.read(0, shards.tokens).tolist() == expected
    assert shards.bytes == sum(len(d.text.encode()) for d in DOCUMENTS)
    for start, stop in [(0, 0), (5, 6), (3, 200), (shards.tokens - 4, shards.tokens)]:
        assert shards.read(start, stop).tolist() == expected[start:stop]


def test_every_position_leads_back_to_its_document(made):
    shards, tokenizer = made
    for document, start in zip(DOCUMENTS, shards.document_starts, strict=True):
        size = len(tokenizer.encode(document.text))
        assert shards.locate(int(start)) == (document.id, 0)
        assert shards.locate(int(start) + size) == (document.id, size)


def saved(array):
    return lambda path: np.save(path, array)


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def write(text):
    return lambda path: path.write_text(text)


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("tokens-00000.npy", saved(np.arange(3, dtype=np.uint16)), "holds 3 tokens, not"),
        ("tokens-00000.npy", saved(np.zeros((2, 2), np.uint16)), "not token ids"),
        ("tokens-00000.npy", saved(np.zeros(3)), "not token ids"),
        ("tokens-00000.npy", cut, "damaged"),
        ("tokens-00000.npy", write("junk"), "damaged"),
        ("tokens-00000.npy", Path.unlink, "damaged"),
        ("index.parquet", cut, "damaged"),
        ("index.parquet", Path.unlink, "damaged"),
        ("meta.json", Path.unlink, "does not exist"),
        ("meta.json", write("{}"), "does not describe token shards"),
        ("meta.json", write("[]"), "does not describe token shards"),
        ("meta.json", write("{"), "not valid JSON"),
    ],
)
@pytest.mark.parametrize("made", [100], indirect=True)
def test_damage_is_named(made, name, damage, reason):
    damage(made.shards.folder / name)
    with pytest.raises(HornbookError, match=rf"{re.escape(name)} (.*, )?(is )?{reason}"):
        TokenShards.open(made.shards.folder)


@pytest.mark.parametrize("made", [10], indirect=True)
def test_a_document_is_never_split_and_no_shard_overflows_without_need(made):
    rows = parquet.read_table(made.shards.folder / INDEX).to_pydict()
    assert rows["id"] == [document.id for document in DOCUMENTS]
    assert rows["bytes"] == [len(document.text.encode()) for document in DOCUMENTS]
    sizes = {}
    for shard, offset, tokens in zip(rows["shard"], rows["offset"], rows["tokens"], strict=True):
        assert offset == sizes.get(shard, 0)
        sizes[shard] = offset + tokens
        assert offset + tokens <= 10 or offset == 0
    assert sum(sizes.values()) == made.shards.tokens


def test_ids_are_as_wide_as_the_vocabulary_needs(tmp_path):
    class Wide:
        vocab_size, eos_id, fingerprint = 70000, 69999, "wide"

        def encode_batch(self, texts):
            return [np.array([len(text)], np.uint32) for text in texts]

        def document(self, ids):
            return np.append(ids, np.uint32(self.eos_id))

    write_shards([Document("a", "b", "s"), Document("empty", "", "s")], Wide(), tmp_path, QUIET)
    shards = TokenShards.open(tmp_path)
    assert shards.read(0, 4).dtype == np.uint32
    assert shards.read(0, 4).tolist() == [1, 69999, 0, 69999]


def test_documents_need_an_end(tmp_path):
    class Endless:
        eos_id, where = None, "here"

    with pytest.raises(HornbookError, match="here names no end-of-text token"):
        write_shards(DOCUMENTS, Endless(), tmp_path, QUIET)


def test_nothing_to_write(made, tmp_path):
    with pytest.raises(HornbookError, match="no document"):
        write_shards([], made.tokenizer, tmp_path, QUIET)
