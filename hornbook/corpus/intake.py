"""What is read goes to one of two places: the store or `quarantine.jsonl`. Nothing is judged here.

Knows documents and the folder's files; knows nothing of formats or of what is kept.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hornbook.core.files import write_json
from hornbook.corpus.accounting import Account
from hornbook.corpus.documents import Document, Rejection, content_hash
from hornbook.corpus.store import DocumentWriter, Stored, read_tags

QUARANTINE, BOOKS = "quarantine.jsonl", "books.json"


def take_in(items: Iterable[Document | Rejection], out: Path) -> None:
    """Store what was read, and the rest in the quarantine; write the books of both."""
    account, writer = Account(), DocumentWriter(out)
    with (out / QUARANTINE).open("w", encoding="utf-8") as quarantine:
        for item in items:
            if isinstance(item, Rejection):
                account.enter(item.size)
                row = {"file": item.file, "line": item.line, "reason": item.reason}
                quarantine.write(_line({**row, "detail": item.detail, "bytes": item.size}))
            else:
                size = len(item.text.encode("utf-8"))
                account.enter(size)
                writer.add(Stored(item, content_hash(item.text), size))
    writer.close()
    for _, size in read_tags(out):
        account.keep(size)
    for broken in quarantined(out):
        account.drop(broken["reason"], broken["bytes"])
    account.check()
    write_json(out / BOOKS, account.plain())


def quarantined(folder: Path) -> Iterator[dict[str, Any]]:
    """All records that could not be read."""
    with (folder / QUARANTINE).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def quarantine_samples(folder: Path, each: int = 5) -> list[dict[str, Any]]:
    """The first few quarantined records of each reason."""
    seen: Counter[str] = Counter()
    samples = []
    for row in quarantined(folder):
        seen[row["reason"]] += 1
        if seen[row["reason"]] <= each:
            samples.append(row)
    return samples


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
