"""Workbooks of Excel and OpenDocument: a document for each sheet, a line for each row."""

import datetime
from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.lines import broken
from hornbook.read.formats.office_package import LARGEST_FILE, unreadable
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole

_SUFFIXES = (".xlsx", ".xlsm", ".ods")


@reads(*_SUFFIXES)
def read_spreadsheet(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """A document for each sheet that has cells, with its name as title; cells apart by tabs."""
    import io

    import python_calamine as calamine

    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        if data.startswith(b"PK") and (fault := unreadable(data, "workbook")):
            yield Rejection(source, None, *fault)
            return
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheets = [(name, _text(book.get_sheet_by_name(name))) for name in book.sheet_names]
    except calamine.PasswordError as error:
        yield Rejection(source, None, "encrypted workbook", str(error))
        return
    except Exception as error:  # broken files raise a dozen unrelated types
        yield Rejection(source, None, *broken("broken workbook", error))
        return
    full = [(name, text) for name, text in sheets if text]
    if not full:
        yield Rejection(source, None, "empty", "no sheet has a cell")
    for name, text in full:
        yield Document("", text, source, metadata={"title": name})


def _text(sheet: Any) -> str:
    rows = ("\t".join(map(_said, row)).rstrip() for row in sheet.to_python(skip_empty_area=True))
    return "\n".join(row for row in rows if row.strip())


def _said(cell: Any) -> str:
    """A cell as people write it."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat().replace("T", " ")
    return " ".join(str(cell).split())
