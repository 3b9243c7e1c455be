"""Where a document of a corpus is, or why it is not there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError, nearest
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.document_files import ATTRIBUTES, parts, read_parquet
from hornbook.corpus.select import DROPPED

_ID = re.compile(rb'\{"id": ("(?:[^"\\]|\\.)*")')
"""How the row of a dropped document begins."""


def trace_document(folder: Path, id: str) -> dict[str, Any]:
    """{id, kept, ...}: file, row, bytes and side of a kept document; reason, detail and
    duplicate_of of a dropped one. Raises UsageError for an id that the corpus never saw.
    """
    corpus = Corpus.open(folder)
    found = _kept(corpus, id) or _dropped(corpus, id)
    if found is None:
        raise UsageError(
            f"{folder} never saw a document {id!r}. {nearest(id, _ids(corpus), most=3)}"
        )
    return found


def _kept(corpus: Corpus, id: str) -> dict[str, Any] | None:
    import pyarrow.compute as compute

    for part in parts(corpus.folder):
        attributes = corpus.folder / ATTRIBUTES / part.name
        row = compute.index(read_parquet(attributes, ["id"])["id"], id).as_py()
        if row >= 0:
            tags = read_parquet(attributes).slice(row, 1).to_pylist()[0]
            side = corpus.split.side(tags["split"])
            return {
                "id": id,
                "kept": True,
                "file": str(part),
                "row": row,
                "bytes": tags["bytes"],
                "side": side if corpus.split.section is None else "by section",
            }
    return None


def _dropped(corpus: Corpus, id: str) -> dict[str, Any] | None:
    start = f'{{"id": {json.dumps(id, ensure_ascii=False)}, '.encode("utf-8", "surrogatepass")
    for line in _rows(corpus):
        if line.startswith(start):
            return {"id": id, "kept": False, **json.loads(line)}
    return None


def _rows(corpus: Corpus) -> Iterator[bytes]:
    """The rows of dropped documents, as they stand in their files."""
    for path in sorted((corpus.folder / DROPPED).glob("*.jsonl")):
        with path.open("rb") as lines:
            yield from lines


def _ids(corpus: Corpus) -> Iterator[str]:
    for part in parts(corpus.folder):
        table = read_parquet(corpus.folder / ATTRIBUTES / part.name, ["id"])
        yield from table["id"].to_pylist()
    for line in _rows(corpus):
        if match := _ID.match(line):
            yield json.loads(match[1])
