"""JSON Lines and JSON: a record a line or an item of a list, Dolma's fields taken as they are.

Knows JSON; knows nothing of files.
"""

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.corpus.documents import Document, Rejection, unstorable
from hornbook.corpus.readers.decode import NotText, decode, newlines
from hornbook.corpus.readers.lines import LONGEST_LINE, Fault, Line, read_lines
from hornbook.corpus.readers.whole import read_whole

TEXT_FIELDS = ("text", "content", "body", "raw_content", "answer", "output", "document", "summary")
"""Tried in this order; the first that holds a string is the text."""

LARGEST_JSON = 256 * 2**20
"""Bytes of one JSON text: it cannot be read in parts, and takes several times as much memory."""

_DOLMA = ("id", "source", "added", "created", "metadata")


class Record(NamedTuple):
    """A value of the file. number: its line or item, from 1. size: bytes, None if not counted."""

    number: int
    values: Any
    size: int | None = None

    def rejection(self, source: str, fault: Fault) -> Rejection:
        """The record that could not be used."""
        size = len(json.dumps(self.values)) if self.size is None else self.size
        return Rejection(source, self.number, *fault, size)


def read_jsonl(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a line; a bad line costs itself.

    Dolma's `source`, `added`, `created` and `metadata` are honoured, its `id` is kept in the
    metadata, and so are other fields that hold a text or number. `text_field` in the metadata
    names the field that was taken when it is not `text`.
    """
    return _documents(jsonl_records(stream, source), source, text_field)


def read_json(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document for each object of a list, or for the one object; a bad item costs itself.

    JSON Lines under this name are read as such. Rejections have the number of the item.
    """
    return _documents(json_records(stream, source), source, text_field)


def _documents(
    records: Iterable[Record | Rejection], source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    for record in records:
        if isinstance(record, Rejection):
            yield record
            continue
        found = _item(record.values, source, text_field)
        yield record.rejection(source, found) if isinstance(found, Fault) else found


def jsonl_records(stream: BinaryIO, source: str) -> Iterator[Record | Rejection]:
    """The value of each line that is not blank; a line that is no JSON costs itself."""
    for line in read_lines(stream):
        if line.fault or line.data.strip():
            found = line.fault or _value(line)
            if isinstance(found, Fault):
                yield line.rejection(source, found)
            else:
                yield Record(line.number, found[0], line.size)


def json_records(stream: BinaryIO, source: str) -> Iterator[Record | Rejection]:
    """The items of a list, or the one value; JSON Lines under this name are read as such."""
    data = read_whole(stream, source, LARGEST_JSON)
    if isinstance(data, Rejection):
        yield data
        return
    first = data[:LONGEST_LINE].removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0]
    if not data.strip():
        return
    if first.startswith(b"{") and _is_json(first) and not _is_json(data):
        yield from jsonl_records(io.BytesIO(data), source)
        return
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        yield Rejection(source, None, "not JSON", str(error))
        return
    for number, value in enumerate(values if isinstance(values, list) else [values], 1):
        yield Record(number, value)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def field_of(text_field: str | None, names: Iterable[str]) -> str | None:
    """The name that holds the text: the one asked for, or the nearest usual one."""
    wanted = (text_field,) if text_field else TEXT_FIELDS
    return next((name for name in wanted if name in names), None)


def _value(line: Line) -> tuple[Any] | Fault:
    """The one value of a line, wrapped: it may be anything, a null too."""
    try:
        return (json.loads(decode(line.data)),)
    except NotText as error:
        return Fault(error.reason, str(error))
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        return Fault("not JSON", str(error))


def _item(values: Any, source: str, text_field: str | None) -> Document | Fault:
    if not isinstance(values, dict):
        return Fault("no text field", f"a {type(values).__name__} instead of an object")
    name = field_of(text_field, [n for n, value in values.items() if isinstance(value, str)])
    if name is None:
        return Fault("no text field", f"found {', '.join(values)}")
    document = document_of(values, name, source)
    problem = unstorable(document)
    return Fault("not Unicode", problem) if problem else document


def document_of(values: dict[str, Any], name: str, source: str) -> Document:
    """A record's values as a document; name: of the field that holds the text."""
    metadata = {
        key: value
        for key, value in values.items()
        if key not in (name, *_DOLMA) and isinstance(value, str | int | float)
    }
    if isinstance(values.get("id"), str | int):
        metadata["id"] = values["id"]
    if isinstance(values.get("metadata"), dict):
        metadata |= values["metadata"]
    if name != "text":
        metadata["text_field"] = name
    return Document(
        id="",
        text=newlines(values[name]),
        source=str(values.get("source") or source),
        added=str(values.get("added") or ""),
        created=str(values.get("created") or ""),
        metadata=metadata,
    )
