"""Token shards: ids as memory-mapped arrays, and an index that leads back to every document.

A folder holds `tokens-NNNNN.npy`, `index.parquet` (id, shard, offset, tokens, bytes; a row a
document) and `meta.json`.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, save_array, write_json
from hornbook.core.progress import Progress
from hornbook.read.documents import Document
from hornbook.tokenize.tokenizer import Tokenizer

INDEX = "index.parquet"
META = "meta.json"
SHARD_TOKENS = 2**27
_BATCH_CHARACTERS = 4 * 2**20
"""Text encoded at once: enough to keep all cores busy, little enough to hold."""


def write_shards(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    out: Path,
    progress: Progress,
    total_bytes: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> None:
    """Encode `documents` into the folder `out`; each ends with the end-of-text token.

    total_bytes: of all texts, for the progress bar. Raises HornbookError when the tokenizer names
    no end-of-text token or there is no document.
    """
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token to end documents with.")
    writer = _ShardWriter(
        out, np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32, shard_tokens
    )
    with progress.bar("encoding", total_bytes, "B") as advance:
        for batch in _batches(documents):
            ids = tokenizer.encode_batch([document.text for document in batch])
            for document, tokens in zip(batch, ids, strict=True):
                size = len(document.text.encode("utf-8"))
                writer.add(document.id, tokenizer.document(tokens), size)
                advance(size)
    writer.finish({"tokenizer": tokenizer.fingerprint, "eos": tokenizer.eos_id})


class TokenShards:
    """The shards of a folder as one stream of `tokens` ids.

    bytes: of UTF-8 text in all documents. eos: the id that ends each. document_starts: (N,) int64.
    """

    def __init__(self, folder: Path, meta: dict[str, Any], arrays: list[np.ndarray]) -> None:
        self.folder, self._arrays = folder, arrays
        self.tokens: int = meta["tokens"]
        self.bytes: int = meta["bytes"]
        self.eos: int = meta["eos"]
        self.fingerprint: str = meta["tokenizer"]
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])

    @classmethod
    def open(cls, folder: Path) -> "TokenShards":
        """Map the shards; raises HornbookError naming a file that is missing or cut short."""
        meta = read_json(folder / META)
        try:
            arrays = [_map(folder / name, count) for name, count in meta["shards"].items()]
            shards, documents = cls(folder, meta, arrays), int(meta["documents"])
        except (KeyError, TypeError, AttributeError) as error:
            what = f"{folder / META} does not describe token shards"
            raise HornbookError(f"{what}: {error!r}.") from None
        _check_index(folder / INDEX, documents)
        return shards

    def read(self, start: int, stop: int) -> np.ndarray:
        """Tokens start .. stop of the stream, across shards."""
        assert 0 <= start <= stop <= self.tokens, "the stream has these tokens"
        parts = []
        while start < stop:
            shard = int(np.searchsorted(self._starts, start, side="right")) - 1
            begin = int(self._starts[shard])
            part = self._arrays[shard][start - begin : stop - begin]
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [self._arrays[0][:0]])

    @cached_property
    def _index(self) -> dict[str, np.ndarray]:
        import pyarrow.parquet as parquet

        table = parquet.ParquetFile(self.folder / INDEX).read()
        return {name: table[name].to_numpy() for name in table.column_names}

    @cached_property
    def document_starts(self) -> np.ndarray:
        """Where each document begins in the stream, (N,) int64."""
        starts: np.ndarray = self._starts[self._index["shard"]] + self._index["offset"]
        return starts

    def named(self, documents: Collection[str]) -> list[tuple[int, int]]:
        """From which to which position of the stream each document, or section of one, lies that is
        called so, each time that it was written."""
        names, lengths = self._index["id"].tolist(), self._index["tokens"].tolist()
        return [
            (start, start + length)
            for name, start, length in zip(
                names, self.document_starts.tolist(), lengths, strict=True
            )
            # A section is called after its document: NAME/3.
            if name in documents or name.rpartition("/")[0] in documents
        ]

    def locate(self, position: int) -> tuple[str, int]:
        """The document that holds a position of the stream, and the token within it."""
        row = int(np.searchsorted(self.document_starts, position, side="right")) - 1
        return str(self._index["id"][row]), position - int(self.document_starts[row])


def offsets_of(folder: Path, document: str) -> list[dict[str, Any]]:
    """{shard, offset, tokens} of each time that a document, or a section of it, was written."""
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    table = parquet.ParquetFile(folder / INDEX).read()
    own = compute.or_(
        compute.equal(table["id"], document), compute.starts_with(table["id"], f"{document}/")
    )
    rows: list[dict[str, Any]] = table.filter(own).select(["shard", "offset", "tokens"]).to_pylist()
    return rows


def _map(path: Path, count: int) -> np.ndarray:
    """The memory-mapped shard, which must hold `count` ids."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise HornbookError(f"{path} is damaged: {error}.") from None
    if array.ndim != 1 or array.dtype not in (np.uint16, np.uint32):
        raise HornbookError(f"{path} holds {array.dtype} of shape {array.shape}, not token ids.")
    if len(array) != count:
        raise HornbookError(f"{path} holds {len(array)} tokens, not {count}.")
    return array


def _check_index(path: Path, documents: int) -> None:
    """Look at the end of the index, where Parquet says what is in it."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        rows = parquet.read_metadata(path).num_rows
    except (OSError, arrow.ArrowException) as error:
        raise HornbookError(f"{path} is damaged: {error}.") from None
    if rows != documents:
        raise HornbookError(f"{path} lists {rows} documents, not {documents}.")


class _ShardWriter:
    """Collects documents and writes a shard whenever one is full; a document is never split."""

    def __init__(self, out: Path, dtype: type, shard_tokens: int) -> None:
        self.out, self.dtype, self.shard_tokens = out, dtype, shard_tokens
        self.pending: list[np.ndarray] = []
        self.pending_tokens = 0
        self.shards: dict[str, int] = {}
        self.rows: list[tuple[str, int, int, int, int]] = []

    def add(self, document: str, tokens: np.ndarray, size: int) -> None:
        if self.pending and self.pending_tokens + len(tokens) > self.shard_tokens:
            self._flush()
        self.rows.append((document, len(self.shards), self.pending_tokens, len(tokens), size))
        self.pending.append(tokens.astype(self.dtype))
        self.pending_tokens += len(tokens)

    def finish(self, facts: dict[str, Any]) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        if not self.rows:
            raise HornbookError(f"There is no document to write into {self.out}.")
        self._flush()
        columns = zip(*self.rows, strict=True)
        names = ("id", "shard", "offset", "tokens", "bytes")
        table = arrow.table({name: list(c) for name, c in zip(names, columns, strict=True)})
        parquet.write_table(table, self.out / INDEX)
        tokens, size = sum(row[3] for row in self.rows), sum(row[4] for row in self.rows)
        assert tokens == sum(self.shards.values()), "every token of every document is written"
        totals = {"documents": len(self.rows), "tokens": tokens, "bytes": size}
        write_json(self.out / META, {**facts, **totals, "shards": self.shards})

    def _flush(self) -> None:
        name = f"tokens-{len(self.shards):05d}.npy"
        array = np.concatenate(self.pending)
        save_array(self.out / name, array)
        self.shards[name] = self.pending_tokens
        self.pending, self.pending_tokens = [], 0


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in lists of about `_BATCH_CHARACTERS`."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
