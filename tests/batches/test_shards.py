"""Shards hold every token of every document, and lead back to it."""

from typing import NamedTuple

import numpy as np
import pytest

from hornbook.batches.shards import META, TokenShards, write_shards
from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.corpus.documents import Document
from hornbook.tokenize.train import train_tokenizer

DOCUMENTS = [Document(f"d{i}", "word " * i + "字", "s") for i in range(1, 40)]


class Made(NamedTuple):
    shards: TokenShards
    tokenizer: object


@pytest.fixture(params=[10, 100, 2**20])
def made(request, tmp_path):
    quiet = Progress(quiet=True)
    texts = [document.text for document in DOCUMENTS]
    tokenizer = train_tokenizer(texts, 300, tmp_path / "tokenizer", quiet)
    (tmp_path / "shards").mkdir()
    write_shards(DOCUMENTS, tokenizer, tmp_path / "shards", quiet, shard_tokens=request.param)
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


def test_damage_is_named(made):
    shards, _ = made
    path = shards.folder / "tokens-00000.npy"
    np.save(path, np.arange(3, dtype=np.uint16))
    with pytest.raises(HornbookError, match=r"tokens-00000\.npy holds 3 tokens"):
        TokenShards.open(shards.folder)
    path.write_bytes(b"junk")
    with pytest.raises(HornbookError, match=r"tokens-00000\.npy is damaged"):
        TokenShards.open(shards.folder)
    (shards.folder / META).unlink()
    with pytest.raises(HornbookError, match=r"meta\.json does not exist"):
        TokenShards.open(shards.folder)


def test_nothing_to_write(made, tmp_path):
    with pytest.raises(HornbookError, match="no document"):
        write_shards([], made.tokenizer, tmp_path, Progress(quiet=True))
