"""Records with named fields from evaluation data: JSON, JSON Lines, tables, SQuAD, lines of text.

An evaluation on part of its items would be another evaluation, so a broken record is an error that
names its line. One that no tokenizer can read is left out, and said.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError, unknown
from hornbook.datasets import tables
from hornbook.datasets.tables import NOT_UNICODE, read_texts
from hornbook.read.documents import Rejection
from hornbook.read.formats.header import Naming
from hornbook.read.sources import format_of

FORMATS = (*tables.FORMATS, ".txt")
"""What can be read; each may end with .gz or .zst as well."""

LeftOut = Callable[[Rejection], None]


def read_rows(
    path: Path,
    columns: Sequence[str] | None = None,
    left_out: LeftOut = lambda rejection: None,
) -> list[dict[str, Any]]:
    """All records of a file, in order.

    columns: names for a table that has no header. A line of a .txt file has the field `text`. JSON
    in SQuAD's form gives a row a question: title, context, id, question, and answers as texts.
    left_out: told of a record with half a surrogate pair. Raises UsageError for a file that is not
    there or of another format, and naming the line or item that is broken.
    """
    if not path.is_file():
        raise UsageError(f"{path} {'is no file' if path.exists() else 'does not exist'}.")
    kind = format_of(path)
    if kind not in FORMATS:
        raise unknown("format", kind or path.name, FORMATS)
    if kind == ".txt":
        return list(_texts(path))
    rows: list[dict[str, Any]] = []
    for item in tables.read_rows(path, Naming(columns=columns, header=columns is None)):
        if isinstance(item, Rejection):
            if item.reason != NOT_UNICODE:
                raise _broken(path, item.line, item.reason, item.detail)
            left_out(item)
        elif isinstance(item.cells.get("paragraphs"), list):
            rows += _squad(item.cells, f"{path}, item {item.number}")
        else:
            rows.append(item.cells)
    if kind == ".json" and len(rows) == 1 and not any(isinstance(v, str) for v in rows[0].values()):
        raise UsageError(f"{path} holds no list of records, neither at the top nor as 'data'.")
    return rows


def _texts(path: Path) -> Iterator[dict[str, Any]]:
    for line in read_texts(path):
        if line.fault:
            raise _broken(path, line.number or None, *line.fault)
        if line.text.strip():
            yield {"text": line.text}


def _broken(path: Path, line: int | None, reason: str, detail: str) -> UsageError:
    where = path if line is None else f"{path}, line {line}"
    return UsageError(f"{where}: {reason} ({detail}).")


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
