"""Records with named fields from evaluation data: JSON, JSON Lines, tables, SQuAD, lines of text.

An evaluation on part of its items would be another evaluation, so a broken record is an error that
names its line, not a rejection. Knows files; knows nothing of tasks.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError, unknown
from hornbook.corpus.read import format_of
from hornbook.corpus.readers.lines import BROKEN
from hornbook.corpus.readers.packed import unpack

_JSON_LINES = (".jsonl", ".ndjson")
_TABLES = {".csv": ",", ".tsv": "\t"}
FORMATS = (*_JSON_LINES, ".json", *_TABLES, ".parquet", ".txt")
"""What can be read; each may end with .gz or .zst as well."""


def read_rows(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """All records of a file, in order.

    columns: names for a table that has no header. A line of a .txt file has the field `text`. JSON
    in SQuAD's form gives a row a question: title, context, id, question, and answers as texts.
    Raises UsageError for a file that is not there or of another format, and naming the line or
    item that is broken.
    """
    if not path.is_file():
        raise UsageError(f"{path} {'is no file' if path.exists() else 'does not exist'}.")
    kind = format_of(path)
    if kind not in FORMATS:
        raise unknown("format", kind or path.name, FORMATS)
    if kind == ".parquet":
        import pyarrow.parquet as parquet

        return list(parquet.read_table(path).to_pylist())
    text = _text(path)
    if kind in _JSON_LINES:
        return list(_lines(text, path))
    if kind == ".json":
        return list(_json(text, path))
    if kind in _TABLES:
        return list(_table(text, _TABLES[kind], columns, path))
    return [{"text": line} for line in text.splitlines() if line.strip()]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as raw:
            data = unpack(raw, path.suffix.lower()).read()
    except BROKEN as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: not UTF-8 (byte {error.start}).") from None


def _lines(text: str, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}: not JSON ({error}).") from None
            yield _object(value, f"{path}, line {number}")


def _json(text: str, path: Path) -> Iterator[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            yield from _lines(text, path)  # JSON Lines under another name
            return
        raise UsageError(f"{path} is not JSON: {error}.") from None
    inner = value.get("data") if isinstance(value, dict) else value
    if not isinstance(inner, list):
        raise UsageError(f"{path} holds no list of records, neither at the top nor as 'data'.")
    for number, item in enumerate(inner, 1):
        record = _object(item, f"{path}, item {number}")
        if isinstance(record.get("paragraphs"), list):
            yield from _squad(record, f"{path}, item {number}")
        else:
            yield record


def _squad(article: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """The questions of an article in the form of SQuAD 1.1; those without an answer are left out.

    Each answer once, however many people gave it.
    """
    try:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = list(dict.fromkeys(answer["text"] for answer in asked["answers"]))
                if answers:
                    yield {
                        "title": article.get("title", ""),
                        "context": paragraph["context"],
                        "id": asked.get("id", ""),
                        "question": asked["question"],
                        "answers": answers,
                    }
    except (KeyError, TypeError) as error:
        raise UsageError(f"{where} is not in SQuAD's form: {error} is missing.") from None


def _table(
    text: str, separator: str, columns: Sequence[str] | None, path: Path
) -> Iterator[dict[str, Any]]:
    """Tabs separate whatever stands between them; only tables with commas quote."""
    csv.field_size_limit(2**31 - 1)  # the module's limit is 128 KiB, and texts may be longer
    stream = io.StringIO(text, newline="")
    if separator == "\t":
        lines = csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE)
    else:
        lines = csv.reader(stream, delimiter=separator)
    names = list(columns) if columns else next(lines, [])
    for values in lines:
        if not values:
            continue
        if len(values) != len(names):
            raise UsageError(
                f"{path}, line {lines.line_num}: {len(values)} fields instead of {len(names)} "
                f"({', '.join(names)})."
            )
        yield dict(zip(names, values, strict=True))


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: a {type(value).__name__} instead of an object with fields.")
    return value
