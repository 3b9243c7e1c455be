"""JSON Lines: one record a line, Dolma's fields taken where they are.

Knows JSON; knows nothing of files.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import newlines
from hornbook.corpus.readers.lines import Line, read_lines

TEXT_FIELDS = ("text", "content", "body", "raw_content", "answer", "output", "document", "summary")
"""Tried in this order; the first that holds a string is the text."""


def read_jsonl(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """A document a line; a bad line costs itself."""
    for line in read_lines(stream):
        if line.data.strip() or not line.data:
            yield _record(line, source)


def _record(line: Line, source: str) -> Document | Rejection:
    def reject(reason: str, detail: str = "") -> Rejection:
        return Rejection(source, line.number, reason, detail, line.size)

    if not line.data:
        return reject("line too long", f"{line.size:,} bytes")
    try:
        values = json.loads(line.data.decode("utf-8-sig" if line.number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return reject("not UTF-8", f"byte {error.start}: {error.reason}")
    except (json.JSONDecodeError, RecursionError) as error:
        return reject("not JSON", str(error))
    if not isinstance(values, dict):
        return reject("no text field", f"a {type(values).__name__} instead of an object")
    name = next((n for n in TEXT_FIELDS if isinstance(values.get(n), str)), None)
    if name is None:
        return reject("no text field", f"found {', '.join(map(str, values))}")
    return _document(values, name, source) or reject("not Unicode", "half a surrogate pair")


def _document(values: dict[str, Any], name: str, source: str) -> Document | None:
    """None when the text is no Unicode: JSON can spell half a surrogate pair."""
    text = newlines(values[name])
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return None
    known = (name, "id", "source", "added", "created", "metadata")
    metadata = dict(values["metadata"]) if isinstance(values.get("metadata"), dict) else {}
    metadata |= {k: v for k, v in values.items() if k not in known and isinstance(v, str | int)}
    return Document(
        id="",
        text=text,
        source=str(values.get("source") or source),
        added=str(values.get("added") or ""),
        created=str(values.get("created") or ""),
        metadata=metadata,
    )
