"""What is read goes to one of three places: the store, `dropped.jsonl` or `quarantine.jsonl`.

Knows documents and the folder's files; knows nothing of formats or of the split.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.corpus.accounting import Account
from hornbook.corpus.documents import Document, Rejection, content_hash
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.store import DocumentWriter, Stored, read_tags

QUARANTINE, DROPPED = "quarantine.jsonl", "dropped.jsonl"


class Dropped(NamedTuple):
    """A document that is not kept; `duplicate_of` is the id of the one that says the same."""

    id: str
    reason: str
    duplicate_of: str | None
    bytes: int


def counted(
    items: Iterable[Document | Rejection], account: Account
) -> Iterator[Document | Rejection]:
    """The same items, entered in the books."""
    for item in items:
        size = item.size if isinstance(item, Rejection) else len(item.text.encode("utf-8"))
        account.enter(size)
        yield item


def keep_first(items: Iterable[Document | Rejection]) -> Iterator[Stored | Dropped | Rejection]:
    """Keep the first document of each content, and none without content.

    Holds about 300 bytes of memory for each kept document.
    """
    first_with: dict[bytes, str] = {}
    for item in items:
        if isinstance(item, Rejection):
            yield item
            continue
        size, digest = len(item.text.encode("utf-8")), content_hash(item.text)
        first = first_with.setdefault(bytes.fromhex(digest), item.id)
        if not item.text or item.text.isspace():
            yield Dropped(item.id, "empty", None, size)
        elif first != item.id:
            yield Dropped(item.id, "duplicate", first, size)
        else:
            yield Stored(item, digest, size)


def write_all(items: Iterable[Stored | Dropped | Rejection], out: Path) -> TextMeasures:
    """Write each item where it belongs, and measure the kept text as it passes."""
    measures, writer = TextMeasures(), DocumentWriter(out)
    with (
        (out / QUARANTINE).open("w", encoding="utf-8") as quarantine,
        (out / DROPPED).open("w", encoding="utf-8") as dropped,
    ):
        for item in items:
            if isinstance(item, Stored):
                measures.add(item.document)
                writer.add(item)
            elif isinstance(item, Dropped):
                dropped.write(_line(item._asdict()))
            else:
                row = {"file": item.file, "line": item.line, "reason": item.reason}
                quarantine.write(_line({**row, "detail": item.detail, "bytes": item.size}))
        writer.close()
    return measures


def count_written(out: Path, account: Account) -> None:
    """Enter in the books what was kept and dropped, counted from what lies in the folder."""
    for _, size in read_tags(out):
        account.keep(size)
    for name in (DROPPED, QUARANTINE):
        for row in _rows(out / name):
            account.drop(row["reason"], row["bytes"])


def quarantine_samples(out: Path, each: int = 5) -> list[dict[str, Any]]:
    """The first few quarantined records of each reason."""
    seen: Counter[str] = Counter()
    samples = []
    for row in _rows(out / QUARANTINE):
        seen[row["reason"]] += 1
        if seen[row["reason"]] <= each:
            samples.append(row)
    return samples


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
