"""The last stage: of each part of the read documents, what is kept goes to the corpus.

Parts are written independently of one another.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.corpus.document_files import TAGS, PartWriter, read_parquet, row_groups
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.paragraphs import without
from hornbook.corpus.pii import Pseudonyms
from hornbook.read.documents import as_json

DROPPED = "dropped"
"""The folder of what was dropped: a JSON Lines file for each part."""
FORGOTTEN = "forgotten"
"""The reason of a document that was taken out for good, of which nothing is shown."""
_EXCERPT = 300
"""Characters of a dropped document that its row shows."""


class Verdicts(NamedTuple):
    """On the documents of a part, in order.

    table: Arrow's, a row each: reason (empty: kept), repeats (the document that it is a copy of, or
    null), detail (the value or the similarity behind the reason, or null), and the tags of kept
    documents: hash of the content as it was read; split, the hash that the side hangs on: its own,
    or that of the first document that it belongs together with; source of the recipe; copies seen
    in one pass; tokens as it was read, or null. paragraphs: those that are taken out, by document
    and by number, and why.
    """

    table: Any
    paragraphs: dict[int, dict[int, str]]


class SelectTask(NamedTuple):
    """documents, tags: the part to read. verdicts: on its documents. out: the corpus' folder.

    pii: kinds that pseudonyms replace, with the key of the corpus.
    """

    documents: Path
    tags: Path
    verdicts: Verdicts
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
    import pyarrow.compute as compute

    books, start = Selected(), 0
    pseudonyms = Pseudonyms(task.key, task.pii) if task.pii else None
    writer = PartWriter(task.out, task.documents.name)
    (task.out / DROPPED).mkdir(exist_ok=True)
    path = task.out / DROPPED / task.documents.with_suffix(".jsonl").name
    with path.open("w", encoding="utf-8") as dropped:
        for read in row_groups(task.documents):
            verdicts = task.verdicts.table.slice(start, read.num_rows)
            kept = compute.equal(verdicts["reason"], "")
            gone = compute.invert(kept)
            for line in _dropped(read.filter(gone), verdicts.filter(gone), pseudonyms):
                books.documents[line["reason"]] += 1
                books.bytes[line["reason"]] += line["bytes"]
                dropped.write(json.dumps(line, ensure_ascii=False) + "\n")
            places = (start + np.flatnonzero(kept)).tolist()
            paragraphs = [task.verdicts.paragraphs.get(place, {}) for place in places]
            documents = _kept(read.filter(kept), paragraphs, pseudonyms, books)
            writer.write(documents, _tags(documents, verdicts.filter(kept)))
            start += read.num_rows
    writer.close()
    _write_tags(task)
    return books


def _kept(
    table: Any, paragraphs: list[dict[int, str]], pseudonyms: Pseudonyms | None, books: Selected
) -> Any:
    """The documents as they are stored; `books` is added to."""
    if any(paragraphs):
        texts = table["text"].to_pylist()
        for i, gone in enumerate(paragraphs):
            if gone:
                texts[i], taken = without(texts[i], gone)
                books.taken += taken
        table = _with(table, "text", texts)
    books.documents[""] += table.num_rows
    books.bytes[""] += _size(table)
    if pseudonyms:
        texts, metadata = table["text"].to_pylist(), table["metadata"].to_pylist()
        for i, (text, fields) in enumerate(zip(texts, metadata, strict=True)):
            texts[i], metadata[i] = _replaced(text, fields, pseudonyms, books.pii)
        table = _with(_with(table, "text", texts), "metadata", metadata)
    books.measures.add(table["text"], table["metadata"])
    books.written += _size(table)
    return table


def _with(table: Any, name: str, values: list[str]) -> Any:
    """The table with other values in a column."""
    import pyarrow as arrow

    column = table.schema.field(name)
    at = table.schema.get_field_index(name)
    return table.set_column(at, column, arrow.array(values, column.type))


def _size(table: Any) -> int:
    """UTF-8 bytes of all texts."""
    import pyarrow.compute as compute

    return compute.sum(compute.binary_length(table["text"])).as_py() or 0


def _tags(documents: Any, verdicts: Any) -> Any:
    """The tags that stand beside kept documents."""
    import pyarrow.compute as compute

    tags = verdicts.select(["hash", "split", "source", "copies", "tokens"])
    sizes = compute.binary_length(documents["text"])
    return tags.add_column(0, "id", documents["id"]).append_column("bytes", sizes)


def _dropped(table: Any, verdicts: Any, pseudonyms: Pseudonyms | None) -> Iterator[dict[str, Any]]:
    """The rows of dropped documents, with the beginnings of their texts."""
    import pyarrow.compute as compute

    sizes = compute.binary_length(table["text"]).to_pylist()
    excerpts = compute.utf8_slice_codeunits(table["text"], 0, _EXCERPT).to_pylist()
    rows = table.select(["id", "source"]).to_pylist()
    for row, size, excerpt, verdict in zip(
        rows, sizes, excerpts, verdicts.to_pylist(), strict=True
    ):
        if verdict["reason"] == FORGOTTEN:
            excerpt = ""
        yield {
            "id": row["id"],
            "reason": verdict["reason"],
            "detail": verdict["detail"],
            "duplicate_of": verdict["repeats"],
            "bytes": size,
            "source": row["source"],
            "text": pseudonyms.replace(excerpt)[0] if pseudonyms else excerpt,
        }


def _write_tags(task: SelectTask) -> None:
    """The rows of kept documents of the part's tags."""
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    kept = compute.equal(task.verdicts.table["reason"], "")
    if compute.any(kept).as_py():
        path = task.out / TAGS / task.tags.name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = read_parquet(task.tags).filter(kept).drop_columns(["reason", "detail"])
        parquet.write_table(table, path, compression="zstd")


def _replaced(
    text: str, metadata: str, pseudonyms: Pseudonyms, counts: Counter[str]
) -> tuple[str, str]:
    """A text and the JSON of its metadata with pseudonyms; `counts` is added to."""
    kinds: Counter[str] = Counter()

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            replaced, found = pseudonyms.replace(value)
            kinds.update(item.kind for item in found)
            return replaced
        if isinstance(value, list):
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        return value

    replaced, fields = clean(text), clean(json.loads(metadata))
    if not kinds:
        return text, metadata
    counts.update(kinds)
    return replaced, as_json({**fields, "pii": dict(sorted(kinds.items()))})
