"""Documents on disk: the text once in Parquet, tags in attribute tables beside it.

Knows the folder's files; knows nothing of readers or decisions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.corpus.documents import Document

DOCUMENTS = "documents"
ATTRIBUTES = "attributes/content"
_ROW_GROUP_BYTES, _PART_BYTES = 16 * 2**20, 256 * 2**20
"""Text held before it is written, and text in one file."""


class Stored(NamedTuple):
    """A document with its tags: its content hash and its size in UTF-8 bytes."""

    document: Document
    hash: str
    size: int


class DocumentWriter:
    """Writes documents and their tags in row groups; close it to finish the last file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (DOCUMENTS, ATTRIBUTES):
            (folder / name).mkdir(parents=True)
        self._rows: list[Stored] = []
        self._pending = self._in_part = 0
        self._part = 0
        self._writers: tuple[Any, Any] | None = None

    def add(self, row: Stored) -> None:
        self._rows.append(row)
        self._pending += row.size
        if self._pending >= _ROW_GROUP_BYTES:
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
        text = arrow.table(
            {
                "id": [d.id for d in documents],
                "text": arrow.array([d.text for d in documents], arrow.large_string()),
                "source": [d.source for d in documents],
                "added": [d.added for d in documents],
                "created": [d.created for d in documents],
                "metadata": [json.dumps(d.metadata, ensure_ascii=False) for d in documents],
            }
        )
        tags = arrow.table(
            {
                "id": [d.id for d in documents],
                "hash": [row.hash for row in self._rows],
                "bytes": [row.size for row in self._rows],
            }
        )
        text_writer, tag_writer = self._open_part(text.schema, tags.schema)
        text_writer.write_table(text)
        tag_writer.write_table(tags)
        self._in_part += self._pending
        self._rows, self._pending = [], 0
        if self._in_part >= _PART_BYTES:
            self._close_part()

    def _open_part(self, text: Any, tags: Any) -> tuple[Any, Any]:
        import pyarrow.parquet as parquet

        if self._writers is None:
            name = f"part-{self._part:05d}.parquet"
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


def read_tags(folder: Path) -> Iterator[tuple[str, int]]:
    """(content hash, bytes) of every document, in the order they are stored."""
    import pyarrow.parquet as parquet

    for path in sorted((folder / ATTRIBUTES).glob("part-*.parquet")):
        table = parquet.read_table(path, columns=["hash", "bytes"])
        yield from zip(table["hash"].to_pylist(), table["bytes"].to_pylist(), strict=True)


def read_documents(folder: Path) -> Iterator[Document]:
    """Every document, in the order they are stored, a row group in memory at a time."""
    import pyarrow.parquet as parquet

    for path in sorted((folder / DOCUMENTS).glob("part-*.parquet")):
        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                yield Document(**{**row, "metadata": json.loads(row["metadata"])})
