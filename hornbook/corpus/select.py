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
from hornbook.corpus.paragraphs import without
from hornbook.corpus.pii import Pseudonyms
from hornbook.corpus.store import TAGS, DocumentWriter, Stored

DROPPED = "dropped"
"""The folder of what was dropped: a JSON Lines file for each part."""
FORGOTTEN = "forgotten"
"""The reason of a document that was taken out for good, of which nothing is shown."""
_EXCERPT = 300
"""Characters of a dropped document that its row shows."""


class Verdict(NamedTuple):
    """On one read document: why it is dropped (empty: kept), and which document it repeats.

    detail: the value or the similarity behind the reason. hash, split, source, copies, tokens: as
    in `Stored`. paragraphs: those that are taken out, by number, and why.
    """

    reason: str
    repeats: str | None
    detail: float | None
    hash: str
    split: str
    source: str
    copies: int
    tokens: int | None
    paragraphs: dict[int, str]


class SelectTask(NamedTuple):
    """documents, tags: the part to read. verdicts: on its documents. out: the corpus' folder.

    pii: kinds that pseudonyms replace, with the key of the corpus.
    """

    documents: Path
    tags: Path
    verdicts: list[Verdict]
    out: Path
    pii: tuple[str, ...]
    key: bytes


@dataclass
class Selected:
    """What became of a part: counts and read bytes by reason ("" for kept), found data by kind.

    taken: read bytes of paragraphs taken out of kept documents, by reason; those bytes are no kept
    ones. written: bytes of kept text as they were written.
    """

    documents: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    pii: Counter[str] = field(default_factory=Counter)
    measures: TextMeasures = field(default_factory=TextMeasures)
    written: int = 0

    def add(self, other: "Selected") -> None:
        """Take in the books of another part."""
        self.documents += other.documents
        self.bytes += other.bytes
        self.taken += other.taken
        self.pii += other.pii
        self.measures.merge(other.measures)
        self.written += other.written


def select_part(task: SelectTask) -> Selected:
    """Write what is kept of a part, and what is not with its reason. Books are kept of read bytes.

    Data is replaced in the text and in the strings of the metadata, which says how many of each
    kind; text in which it was has another size. The tags of kept documents go beside them.
    """
    import pyarrow.parquet as parquet

    books = Selected()
    pseudonyms = Pseudonyms(task.key, task.pii) if task.pii else None
    writer = DocumentWriter(task.out, task.documents.stem, single=True)
    (task.out / DROPPED).mkdir(exist_ok=True)
    path = task.out / DROPPED / task.documents.with_suffix(".jsonl").name
    verdicts = iter(task.verdicts)
    with path.open("w", encoding="utf-8") as dropped:
        file = parquet.ParquetFile(task.documents)
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                verdict = next(verdicts)
                if verdict.reason:
                    line = _dropped(row, verdict, pseudonyms)
                    books.documents[verdict.reason] += 1
                    books.bytes[verdict.reason] += line["bytes"]
                    dropped.write(json.dumps(line, ensure_ascii=False) + "\n")
                else:
                    writer.add(_kept(row, verdict, pseudonyms, books))
    writer.close()
    _write_tags(task)
    return books


def _kept(
    row: dict[str, Any], verdict: Verdict, pseudonyms: Pseudonyms | None, books: Selected
) -> Stored:
    """The document as it is stored; `books` is added to."""
    document = Document(**{**row, "metadata": json.loads(row["metadata"])})
    if verdict.paragraphs:
        text, taken = without(document.text, verdict.paragraphs)
        document = dataclasses.replace(document, text=text)
        books.taken += taken
    size = len(document.text.encode("utf-8"))
    books.documents[""] += 1
    books.bytes[""] += size
    if pseudonyms:
        document = _replaced(document, pseudonyms, books.pii)
        size = len(document.text.encode("utf-8"))
    books.measures.add(document)
    books.written += size
    return Stored(
        document=document,
        size=size,
        hash=verdict.hash,
        split=verdict.split,
        source=verdict.source,
        copies=verdict.copies,
        tokens=verdict.tokens,
    )


def _dropped(
    row: dict[str, Any], verdict: Verdict, pseudonyms: Pseudonyms | None
) -> dict[str, Any]:
    excerpt = "" if verdict.reason == FORGOTTEN else row["text"][:_EXCERPT]
    return {
        "id": row["id"],
        "reason": verdict.reason,
        "detail": verdict.detail,
        "duplicate_of": verdict.repeats,
        "bytes": len(row["text"].encode("utf-8")),
        "source": row["source"],
        "text": pseudonyms.replace(excerpt)[0] if pseudonyms else excerpt,
    }


def _write_tags(task: SelectTask) -> None:
    """The rows of kept documents of the part's tags."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    kept = arrow.array([not verdict.reason for verdict in task.verdicts], arrow.bool_())
    if any(not verdict.reason for verdict in task.verdicts):
        path = task.out / TAGS / task.tags.name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = parquet.read_table(task.tags).filter(kept).drop_columns(["reason", "detail"])
        parquet.write_table(table, path, compression="zstd")


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
