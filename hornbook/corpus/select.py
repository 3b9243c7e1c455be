"""The last stage: of each part of the read documents, what is kept goes to the corpus.

Parts are written independently of one another. Knows Parquet and verdicts; reads no sources.
"""

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.corpus.documents import Document
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.pii import Pseudonyms
from hornbook.corpus.store import DocumentWriter, Stored

EMPTY, EXACT, NEAR = "empty", "duplicate", "near duplicate"
DROPPED = "dropped"
"""The folder of what was dropped: a JSON Lines file for each part."""


class Verdict(NamedTuple):
    """On one read document: why it is dropped (empty: kept), and which document it repeats.

    split: what decides its side. detail: the value or the similarity behind the reason.
    """

    reason: str
    repeats: str | None
    detail: float | None
    split: str


class SelectTask(NamedTuple):
    """documents: the part to read. verdicts: on its documents, in order. out: the corpus' folder.

    pii: kinds that pseudonyms replace, with the key of the corpus.
    """

    documents: Path
    verdicts: list[Verdict]
    out: Path
    pii: tuple[str, ...]
    key: bytes


@dataclass
class Selected:
    """What became of a part: counts and read bytes by reason ("" for kept), found data by kind.

    written: bytes of kept text as they were written.
    """

    documents: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    pii: Counter[str] = field(default_factory=Counter)
    measures: TextMeasures = field(default_factory=TextMeasures)
    written: int = 0

    def add(self, other: "Selected") -> None:
        """Take in the books of another part."""
        self.documents += other.documents
        self.bytes += other.bytes
        self.pii += other.pii
        self.measures.merge(other.measures)
        self.written += other.written


def select_part(task: SelectTask) -> Selected:
    """Write what is kept of a part, and what is not with its reason. Books are kept of read bytes.

    Data is replaced in the text and in the strings of the metadata, which says how many of each
    kind; text in which it was has another size.
    """
    import pyarrow.parquet as parquet

    books = Selected()
    pseudonyms = Pseudonyms(task.key, task.pii) if task.pii else None
    writer = DocumentWriter(task.out, task.documents.name)
    verdicts = iter(task.verdicts)
    (task.out / DROPPED).mkdir(exist_ok=True)
    path = task.out / DROPPED / task.documents.with_suffix(".jsonl").name
    with path.open("w", encoding="utf-8") as dropped:
        file = parquet.ParquetFile(task.documents)
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                verdict, size = next(verdicts), len(row["text"].encode("utf-8"))
                books.documents[verdict.reason] += 1
                books.bytes[verdict.reason] += size
                if verdict.reason:
                    dropped.write(json.dumps(_dropped(row, verdict, size), ensure_ascii=False))
                    dropped.write("\n")
                    continue
                document = Document(**{**row, "metadata": json.loads(row["metadata"])})
                if pseudonyms:
                    document = _replaced(document, pseudonyms, books.pii)
                    size = len(document.text.encode("utf-8"))
                books.measures.add(document)
                books.written += size
                writer.add(Stored(document, verdict.split, size))
    writer.close()
    return books


def _dropped(row: dict[str, Any], verdict: Verdict, size: int) -> dict[str, Any]:
    found = {"id": row["id"], "reason": verdict.reason, "detail": verdict.detail}
    return {**found, "duplicate_of": verdict.repeats, "bytes": size, "source": row["source"]}


def _replaced(document: Document, pseudonyms: Pseudonyms, counts: Counter[str]) -> Document:
    kinds: Counter[str] = Counter()

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            text, found = pseudonyms.replace(value)
            kinds.update(item.kind for item in found)
            return text
        if isinstance(value, list):
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        return value

    text, metadata = clean(document.text), clean(document.metadata)
    if not kinds:
        return document
    counts.update(kinds)
    metadata["pii"] = dict(sorted(kinds.items()))
    return dataclasses.replace(document, text=text, metadata=metadata)
