"""Documents on disk: the text once in Parquet, tags in attribute tables beside it."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.files import hash_file
from hornbook.read.documents import Document, as_json

DOCUMENTS = "documents"
ATTRIBUTES = "attributes/content"
TAGS = "attributes/tags"
_TEXTS = ("id", "text", "source", "added", "created")
"""Columns that are a document's own strings; its metadata is one of JSON."""
_ROW_BYTES = 1024
"""What a document takes in memory beside its text, about; it bounds groups of tiny documents."""


class DocumentWriter:
    """Writes documents, with the hash of their content and their UTF-8 bytes as tags.

    Close it to finish the last file. part: how files are called: NAME-00000.parquet and so on, none
    for no document. group_bytes: text held before it is written. part_bytes: text in a file.
    """

    def __init__(
        self,
        folder: Path,
        part: str,
        group_bytes: int = 16 * 2**20,
        part_bytes: int = 64 * 2**20,
    ) -> None:
        self._folder, self._name = folder, part
        self._group_bytes, self._part_bytes = group_bytes, part_bytes
        self._documents: list[Document] = []
        self._metadata: list[str] = []
        self._hashes: list[str] = []
        self._sizes: list[int] = []
        self._pending = self._in_part = self._parts = 0
        self._part = self._next_part()

    def add(self, document: Document, size: int, digest: str) -> None:
        """size: UTF-8 bytes of its text. digest: its content hash."""
        metadata = as_json(document.metadata)
        self._documents.append(document)
        self._metadata.append(metadata)
        self._hashes.append(digest)
        self._sizes.append(size)
        self._pending += size + len(metadata) + _ROW_BYTES
        if self._pending >= self._group_bytes:
            self._flush()

    def close(self) -> None:
        """Write what is pending and finish the open files."""
        self._flush()
        self._part.close()

    def _flush(self) -> None:
        import pyarrow as arrow

        texts: dict[str, list[Any]] = {
            name: [getattr(document, name) for document in self._documents] for name in _TEXTS
        }
        tags = {"id": texts["id"], "hash": self._hashes, "bytes": self._sizes}
        schema = _document_schema()
        self._part.write(
            arrow.table({**texts, "metadata": self._metadata}, schema), arrow.table(tags)
        )
        self._in_part += self._pending
        self._documents, self._metadata, self._hashes, self._sizes = [], [], [], []
        self._pending = 0
        if self._in_part >= self._part_bytes:
            self._part.close()
            self._part, self._in_part = self._next_part(), 0

    def _next_part(self) -> "PartWriter":
        # Read again by each stage of the build and hardly later: fast is worth more than small.
        part = PartWriter(self._folder, f"{self._name}-{self._parts:05d}.parquet", "lz4")
        self._parts += 1
        return part


class PartWriter:
    """Writes a file of documents and one of their tags, a row group for each pair of tables.

    Neither is there before the first row. Close it to finish them. compression: Parquet's name.
    """

    def __init__(self, folder: Path, name: str, compression: str = "zstd") -> None:
        self._compression = compression
        self._paths = [folder / kind / name for kind in (DOCUMENTS, ATTRIBUTES)]
        for path in self._paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._writers: list[Any] = []

    def write(self, documents: Any, tags: Any) -> None:
        """Tables of as many rows; without any nothing is written."""
        import pyarrow.parquet as parquet

        if not documents.num_rows:
            return
        tables = (documents, tags)
        if not self._writers:
            self._writers = [
                parquet.ParquetWriter(path, table.schema, compression=self._compression)
                for path, table in zip(self._paths, tables, strict=True)
            ]
        for writer, table in zip(self._writers, tables, strict=True):
            writer.write_table(table)

    def close(self) -> None:
        """Finish both files."""
        for writer in self._writers:
            writer.close()


def _document_schema() -> Any:
    import pyarrow as arrow

    types = {"text": arrow.large_string()}  # 2 GB of other strings in a row group are no concern
    names = (*_TEXTS, "metadata")
    return arrow.schema([(name, types.get(name, arrow.string())) for name in names])


def parts(folder: Path) -> list[Path]:
    """The files of documents, in order."""
    return sorted((folder / DOCUMENTS).glob("part-*.parquet"))


def text_batches(part: Path, most: int) -> Iterator[tuple[list[str], list[str]]]:
    """Ids and texts of a file of documents, in order, about `most` characters at a time."""
    for table in row_groups(part, ["id", "text"]):
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


def read_parquet(path: Path, columns: list[str] | None = None) -> Any:
    """Arrow's table of a file of the corpus, or some of its columns.

    `pyarrow.parquet.read_table` would load its data sets first, which take longer than most files.
    """
    import pyarrow.parquet as parquet

    return parquet.ParquetFile(path).read(columns)


def read_tags(folder: Path) -> Iterator[ContentTag]:
    """Of every document, in the order they are stored."""
    for path in sorted((folder / ATTRIBUTES).glob("part-*.parquet")):
        table = read_parquet(path, ["split", "bytes", "copies"])
        yield from map(ContentTag, *(column.to_pylist() for column in table.columns))


def row_groups(part: Path, columns: list[str] | None = None) -> Iterator[Any]:
    """The tables of a file of documents, one in memory at a time."""
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(part)
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns)


def read_documents(folder: Path) -> Iterator[Document]:
    """Every document, in the order they are stored, a row group in memory at a time."""
    for path in parts(folder):
        for table in row_groups(path):
            yield from _documents(table)


def read_ids(folder: Path) -> Iterator[str]:
    """Of every document, in the order they are stored."""
    for path in parts(folder):
        yield from read_parquet(path, ["id"])["id"].to_pylist()


def find_documents(folder: Path, ids: Collection[str]) -> list[Document]:
    """Those with these ids, in the order they are stored; groups without any are not decoded."""
    import pyarrow as arrow
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    found: list[Document] = []
    wanted = arrow.array(list(ids), arrow.string())
    for path in parts(folder):
        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            chosen = compute.is_in(file.read_row_group(group, ["id"])["id"], wanted)
            if compute.any(chosen).as_py():
                found += _documents(file.read_row_group(group).filter(chosen))
    return found


def _documents(table: Any) -> Iterator[Document]:
    for row in table.to_pylist():
        yield Document(**{**row, "metadata": json.loads(row["metadata"])})


def text_sizes(folder: Path) -> Iterator[int]:
    """UTF-8 bytes of every text, in the order they are stored."""
    import pyarrow.compute as compute

    for path in parts(folder):
        for table in row_groups(path, ["text"]):
            yield from compute.binary_length(table["text"]).to_pylist()


def checksums(folder: Path) -> dict[str, str]:
    """Of the files of documents."""
    return {file.name: hash_file(file) for file in parts(folder)}
