"""JSON Lines and JSON: a record a line or an item of a list, Dolma's fields taken as they are."""

import codecs
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.core.json_text import NotJson, parse_record, parse_records
from hornbook.read.documents import Document, Rejection, unstorable
from hornbook.read.formats.decode import NotText, decode, newlines
from hornbook.read.formats.header import TEXT_FIELDS
from hornbook.read.formats.lines import Fault, Line, read_lines
from hornbook.read.formats.register import reads_records
from hornbook.read.formats.whole import read_whole

LARGEST_JSON = 256 * 2**20
"""Bytes of one JSON text: it cannot be read in parts, and takes several times as much memory."""

_DOLMA = ("id", "source", "added", "created", "metadata")


class JsonRecord(NamedTuple):
    """A value of the file. number: its line or item, from 1. size: bytes, None if not counted."""

    number: int
    values: Any
    size: int | None = None

    def rejection(self, source: str, fault: Fault) -> Rejection:
        """The record that could not be used."""
        size = len(json.dumps(self.values)) if self.size is None else self.size
        return Rejection(source, self.number, *fault, size)


@reads_records(".jsonl", ".ndjson")
def read_jsonl(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a line; a bad line costs itself.

    Dolma's `source`, `added`, `created` and `metadata` are honoured, its `id` is kept in the
    metadata, and so are other fields that hold a text or number. `text_field` in the metadata
    names the field that was taken when it is not `text`.
    """
    return _documents(jsonl_records(stream, source), source, text_field)


@reads_records(".json")
def read_json(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document for each object of a list, or for the one object; a bad item costs itself.

    Of a set of questions in SQuAD's form each paragraph is one. JSON Lines under this name are read
    as such. Rejections have the number of the item.
    """
    return _documents(json_records(stream, source), source, text_field)


def _documents(
    records: Iterable[JsonRecord | Rejection], source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    for record in records:
        if isinstance(record, Rejection):
            yield record
            continue
        for values in _texts_of(record.values):
            found = _item(values, source, text_field)
            yield record.rejection(source, found) if isinstance(found, Fault) else found


def _texts_of(values: Any) -> Iterator[Any]:
    """The record itself; of an article in SQuAD's form (Rajpurkar et al. 2016) each paragraph: what
    is asked about is the text."""
    inside = values.get("paragraphs") if isinstance(values, dict) else None
    if not isinstance(inside, list) or not any(_has_context(one) for one in inside):
        yield values
        return
    title = {"title": values["title"]} if isinstance(values.get("title"), str) else {}
    for number, one in enumerate(inside, 1):
        if _has_context(one):
            yield {"text": one["context"], **title, "paragraph": number}
        else:
            yield one


def _has_context(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("context"), str)


def jsonl_records(stream: BinaryIO, source: str) -> Iterator[JsonRecord | Rejection]:
    """The value of each line that is not blank; a line that is no JSON costs itself.

    A file that is JSON, a list or values over several lines, is read as `json_records` does.
    """
    lines = (line for line in read_lines(stream) if line.fault or line.data.strip())
    ahead = list(itertools.islice(lines, 2))
    if ahead and _is_json(ahead):
        stream.seek(0)
        found = json_records(stream, source)
        if not isinstance(first := next(found, None), Rejection):
            yield from itertools.chain([first] if first else [], found)
            return
        stream.seek(0)
        ahead, lines = [], (line for line in read_lines(stream) if line.fault or line.data.strip())
    for line in itertools.chain(ahead, lines):
        value = line.fault or _value(line)
        if isinstance(value, Fault):
            yield line.rejection(source, value)
        else:
            yield JsonRecord(line.number, value[0], line.size)


def json_records(stream: BinaryIO, source: str) -> Iterator[JsonRecord | Rejection]:
    """The items of a list, at the top or as `data`; or the values of the file, if there are more.

    JSON Lines under this name are read as such.
    """
    data = read_whole(stream, source, LARGEST_JSON)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        encoding = json.detect_encoding(data)
        text = data.decode(encoding) if encoding.startswith("utf-16") else decode(_unmarked(data))
    except (NotText, UnicodeDecodeError) as error:
        yield Rejection(source, None, getattr(error, "reason", "not UTF-16"), str(error))
        return
    if _is_lines(text):
        yield from jsonl_records(io.BytesIO(text.encode("utf-8", "surrogatepass")), source)
        return
    line, found = 0, list[tuple[int, Any]]()
    try:
        for line, value in parse_records(text):
            found.append((line, value))
    except NotJson as error:
        where = max(line, error.line)
        yield from (JsonRecord(number, value) for number, value in found)
        detail = f"{error}; what follows is lost" if found else str(error)
        yield Rejection(source, where if found or where > 1 else None, "not JSON", detail)
        return
    values = [value for _, value in found]
    items = _items(values[0]) if len(values) == 1 else None
    numbered = found if items is None else enumerate(items, 1)
    yield from (JsonRecord(number, value) for number, value in numbered)


def _items(value: Any) -> list[Any] | None:
    inner = value.get("data") if isinstance(value, dict) else value
    is_data = isinstance(inner, list) and (
        inner is value or all(isinstance(i, dict) for i in inner)
    )
    return inner if is_data else None


def _is_json(ahead: list[Line]) -> bool:
    """Whether a file's first line begins a value that does not end on it, or is its only list."""
    first = ahead[0]
    if first.fault or not first.data.lstrip().startswith((b"[", b"{")):
        return False
    try:
        value = parse_record(decode(first.data))
    except NotText:
        return False
    except NotJson as error:
        return error.cut and len(ahead) > 1
    return isinstance(value, list) and len(ahead) == 1


def _is_lines(text: str) -> bool:
    """Whether a text of several lines begins with one that is an object by itself."""
    first, _, rest = text.lstrip().partition("\n")
    if not rest.strip() or not first.startswith("{"):
        return False
    try:
        return isinstance(parse_record(first), dict)
    except NotJson:
        return False


def _unmarked(data: bytes) -> bytes:
    return data.removeprefix(codecs.BOM_UTF8)


def field_of(text_field: str | None, names: Iterable[str]) -> str | None:
    """The name that holds the text: the one asked for, or the nearest usual one."""
    wanted = (text_field,) if text_field else TEXT_FIELDS
    return next((name for name in wanted if name in names), None)


def _value(line: Line) -> tuple[Any] | Fault:
    """The one value of a line, wrapped: it may be anything, a null too."""
    try:
        return (parse_record(decode(line.data)),)
    except NotText as error:
        return Fault(error.reason, str(error))
    except NotJson as error:
        return Fault("not JSON", str(error))


def _item(values: Any, source: str, text_field: str | None) -> Document | Fault:
    if isinstance(values, str):
        values = {"text": values}
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
    if isinstance(own := values.get("metadata"), dict):
        metadata |= own
    elif isinstance(own, str | int | float) and own != "":
        metadata["metadata"] = own
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
