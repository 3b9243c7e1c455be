"""Where a document of a corpus is, or why it is not there."""

import json
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError, nearest
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.document_files import ATTRIBUTES, parts, read_parquet
from hornbook.corpus.select import DROPPED


def trace_document(folder: Path, id: str) -> dict[str, Any]:
    """{id, kept, ...}: file, row, bytes and side of a kept document; reason, detail and
    duplicate_of of a dropped one. Raises UsageError for an id that the corpus never saw.
    """
    corpus, known = Corpus.open(folder), []
    for part in parts(corpus.folder):
        table = read_parquet(corpus.folder / ATTRIBUTES / part.name)
        ids = table["id"].to_pylist()
        if id in ids:
            row = ids.index(id)
            side = corpus.split.side(table["split"][row].as_py())
            return {
                "id": id,
                "kept": True,
                "file": str(part),
                "row": row,
                "bytes": table["bytes"][row].as_py(),
                "side": side if corpus.split.section is None else "by section",
            }
        known += ids
    for path in sorted((corpus.folder / DROPPED).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                found = json.loads(line)
                if found["id"] == id:
                    return {"id": id, "kept": False, **found}
                known.append(found["id"])
    raise UsageError(f"{folder} never saw a document {id!r}. {nearest(id, known, most=3)}")
