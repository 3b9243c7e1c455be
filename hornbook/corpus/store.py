"""Documents on disk: the text once in Parquet, tags in attribute tables beside it.

Knows the folder's files; knows nothing of readers or decisions.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.files import hash_file
from hornbook.corpus.documents import Document, as_json

DOCUMENTS = "documents"
ATTRIBUTES = "attributes/content"
TAGS = "attributes/tags"
_TEXTS = ("id", "text", "source", "added", "created")
"""Columns that are a document's own strings; its metadata is one of JSON."""
_TAGS = ("hash", "split", "source", "copies", "tokens")
_ROW_BYTES = 1024
"""What a document takes in memory beside its text, about; it bounds groups of tiny documents."""


class Stored(NamedTuple):
    """A document with its tags: what its side of the split hangs on, and its UTF-8 bytes.

    hash: of its content as it was read. split: the hash that its side hangs on: its own, or that of
    the first document that it belongs together with. source: of the recipe. copies: how often it is
    seen in one pass. tokens: as it was read, None where none were counted.
    """

    document: Document
    size: int
    hash: str
    split: str
    source: str = ""
    copies: int = 1
    tokens: int | None = None


class DocumentWriter:
    """Writes documents and their tags in row groups; close it to finish the last file.

    part: how files are called: NAME-00000.parquet and so on, none for no document. single: all go
    to one, NAME.parquet. group_bytes: text held before it is written. part_bytes: text in a file.
    """

    def __init__(
        self,
        folder: Path,
        part: str,
        single: bool = False,
        group_bytes: int = 16 * 2**20,
        part_bytes: int = 64 * 2**20,
    ) -> None:
        self.folder, self._name, self._single = folder, part, single
        self._group_bytes, self._part_bytes = group_bytes, part_bytes
        for name in (DOCUMENTS, ATTRIBUTES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._rows: list[Stored] = []
        self._metadata: list[str] = []
        self._pending = self._in_part = 0
        self._part = 0
        self._writers: tuple[Any, Any] | None = None

    def add(self, row: Stored) -> None:
        metadata = as_json(row.document.metadata)
        self._rows.append(row)
        self._metadata.append(metadata)
        self._pending += row.size + len(metadata) + _ROW_BYTES
        if self._pending >= self._group_bytes:
            self._flush()

    def close(self) -> None:
        """Write what is pending and finish the open files."""
        self._flush()
        self._close_part()

    def _flush(self) -> None:
        if not self._rows:
            return
        import pyarrow as arrow

        documents = [row.document for row in self._rows]
        texts: dict[str, list[Any]] = {
            name: [getattr(document, name) for document in documents] for name in _TEXTS
        }
        tags: dict[str, list[Any]] = {
            name: [getattr(row, name) for row in self._rows] for name in _TAGS
        }
        document_schema, tag_schema = _schemas()
        text_writer, tag_writer = self._open_part(document_schema, tag_schema)
        text_writer.write_table(arrow.table({**texts, "metadata": self._metadata}, document_schema))
        tag_writer.write_table(
            arrow.table(
                {"id": texts["id"], **tags, "bytes": [row.size for row in self._rows]}, tag_schema
            )
        )
        self._in_part += self._pending
        self._rows, self._metadata, self._pending = [], [], 0
        if not self._single and self._in_part >= self._part_bytes:
            self._close_part()

    def _open_part(self, text: Any, tags: Any) -> tuple[Any, Any]:
        import pyarrow.parquet as parquet

        if self._writers is None:
            number = "" if self._single else f"-{self._part:05d}"
            name = f"{self._name}{number}.parquet"
            self._writers = (
                parquet.ParquetWriter(self.folder / DOCUMENTS / name, text, compression="zstd"),
                parquet.ParquetWriter(self.folder / ATTRIBUTES / name, tags, compression="zstd"),
            )
        return self._writers

    def _close_part(self) -> None:
        for writer in self._writers or ():
            writer.close()
        self._writers, self._in_part = None, 0
        self._part += 1


def _schemas() -> tuple[Any, Any]:
    """The columns of documents and of tags."""
    import pyarrow as arrow

    types = {"text": arrow.large_string()}
    documents = arrow.schema(
        [(name, types.get(name, arrow.string())) for name in (*_TEXTS, "metadata")]
    )
    tags = arrow.schema(
        [
            ("id", arrow.string()),
            ("hash", arrow.string()),
            ("split", arrow.string()),
            ("source", arrow.string()),
            ("bytes", arrow.int64()),
            ("copies", arrow.int32()),
            ("tokens", arrow.int64()),
        ]
    )
    return documents, tags


def parts(folder: Path) -> list[Path]:
    """The files of documents, in order."""
    return sorted((folder / DOCUMENTS).glob("part-*.parquet"))


def text_batches(part: Path, most: int) -> Iterator[tuple[list[str], list[str]]]:
    """Ids and texts of a file of documents, in order, about `most` characters at a time."""
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(part)
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, ["id", "text"])
        ids, texts = table["id"].to_pylist(), table["text"].to_pylist()
        start, size = 0, 0
        for i, text in enumerate(texts, 1):
            size += len(text)
            if size >= most or i == len(texts):
                yield ids[start:i], texts[start:i]
                start, size = i, 0


class ContentTag(NamedTuple):
    """split: the hash that a document's side hangs on. size: UTF-8 bytes. copies: in one pass."""

    split: str
    size: int
    copies: int


def read_tags(folder: Path) -> Iterator[ContentTag]:
    """Of every document, in the order they are stored."""
    import pyarrow.parquet as parquet

    for path in sorted((folder / ATTRIBUTES).glob("part-*.parquet")):
        table = parquet.read_table(path, columns=["split", "bytes", "copies"])
        yield from map(ContentTag, *(column.to_pylist() for column in table.columns))


def read_documents(folder: Path) -> Iterator[Document]:
    """Every document, in the order they are stored, a row group in memory at a time."""
    import pyarrow.parquet as parquet

    for path in parts(folder):
        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            yield from _documents(file.read_row_group(group))


def read_ids(folder: Path) -> Iterator[str]:
    """Of every document, in the order they are stored."""
    import pyarrow.parquet as parquet

    for path in parts(folder):
        yield from parquet.read_table(path, columns=["id"])["id"].to_pylist()


def find_documents(folder: Path, ids: Collection[str]) -> list[Document]:
    """Those with these ids, in the order they are stored; the texts of others are not decoded."""
    import pyarrow.parquet as parquet

    wanted = [("id", "in", list(ids))]
    return [
        document
        for path in (parts(folder) if ids else ())  # Arrow knows no empty list of strings
        for document in _documents(parquet.read_table(path, filters=wanted))
    ]


def _documents(table: Any) -> Iterator[Document]:
    for row in table.to_pylist():
        yield Document(**{**row, "metadata": json.loads(row["metadata"])})


def text_sizes(folder: Path) -> Iterator[int]:
    """UTF-8 bytes of every text, in the order they are stored."""
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    for path in parts(folder):
        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            yield from compute.binary_length(
                file.read_row_group(group, ["text"])["text"]
            ).to_pylist()


def checksums(folder: Path) -> dict[str, str]:
    """Of the files of documents."""
    return {file.name: hash_file(file) for file in parts(folder)}
