"""Parquet: a document a row, streamed by row groups, the text column found as for tables."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.core.guarded import step
from hornbook.read.documents import Document, Rejection, unstorable
from hornbook.read.formats.header import twice
from hornbook.read.formats.lines import broken
from hornbook.read.formats.records import document_of
from hornbook.read.formats.register import reads_records
from hornbook.read.formats.table import Row, text_column

_ROWS = 256
"""Read at a time: texts may be long."""

LARGEST_GROUP = 4 * 2**30
"""Bytes of a row group's wanted columns when unpacked; one such group is held at a time."""


@reads_records(".parquet")
def read_parquet(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a row; a row without text or a broken row group costs itself.

    Dolma's fields are honoured as in JSON Lines; other columns that hold texts or numbers are
    metadata. Rejections have the number of the row, or of the first row of the group.
    """
    import pyarrow

    file = _open(stream, source)
    if isinstance(file, Rejection):
        yield file
        return
    try:
        names = [field.name for field in file.schema_arrow if _is_text(field.type)]
        column = _choose(file, names, text_field)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        yield _broken(source, error)
        return
    if column is None:
        names = file.schema_arrow.names
        yield Rejection(source, None, "no text field", f"found {', '.join(names)}")
        return
    for found in _rows(file, source):
        if isinstance(found, Rejection):
            yield found
        else:
            yield _document(*found, column, source)


def parquet_rows(stream: BinaryIO, source: str) -> Iterator[Row | Rejection]:
    """Each row, its number from 1: texts, numbers, dates, and lists and structures of them."""
    file = _open(stream, source)
    if isinstance(file, Rejection):
        yield file
        return
    for found in _rows(file, source, nested=True):
        if isinstance(found, Rejection):
            yield found
        elif isinstance(row := _utf8(*found, source), Rejection):
            yield row
        else:
            yield Row(*row)


def _open(stream: BinaryIO, source: str) -> Any:
    """The file, or why it cannot be read."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(stream)
        problem = twice(file.schema_arrow.names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        return _broken(source, error)
    return Rejection(source, None, "two columns of one name", problem) if problem else file


def _broken(source: str, error: Exception) -> Rejection:
    return Rejection(source, None, *broken("broken Parquet", error))


_Found = tuple[int, dict[str, Any], int] | Rejection
"""A row's number, its values, and its share of the bytes that were read together."""


def _rows(file: Any, source: str, nested: bool = False) -> Iterator[_Found]:
    """The rows. A text that is no UTF-8 stays bytes."""
    wanted = [
        f.name for f in file.schema_arrow if _is_plain(f.type) or (nested and _is_nest(f.type))
    ]
    row = 1
    for group in range(file.num_row_groups):
        yield from _group(file, group, row, wanted, source)
        row += file.metadata.row_group(group).num_rows


def _group(file: Any, group: int, row: int, wanted: list[str], source: str) -> Iterator[_Found]:
    """The rows of one group, the first of which has the number `row`."""
    import pyarrow

    size, end = _size(file, group, wanted), row + file.metadata.row_group(group).num_rows
    if size > LARGEST_GROUP:
        detail = f"rows {row:,} to {end - 1:,}: {size:,} bytes; the most is {LARGEST_GROUP:,}"
        yield Rejection(source, row, "row group too large", detail, size)
        return
    try:
        for batch in file.iter_batches(_ROWS, [group], columns=wanted):
            if fault := step(size):
                yield Rejection(source, row, fault.reason, f"rows {row:,} to {end - 1:,}", size)
                return
            columns = [_values(part) for part in batch.columns]
            share = batch.nbytes // max(1, batch.num_rows)
            for cells in zip(*columns, strict=True):
                yield row, dict(zip(batch.schema.names, cells, strict=True)), share
                row += 1
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        detail = f"rows {row:,} to {end - 1:,} are lost: {error}"
        yield Rejection(source, row, broken("broken row group", error).reason, detail, size)


def _utf8(row: int, values: dict[str, Any], share: int, source: str) -> _Found:
    broken = next((name for name, value in values.items() if isinstance(value, bytes)), None)
    if broken is None:
        return row, values, share
    return Rejection(source, row, "not UTF-8", f"the column {broken}", len(values[broken]))


def _document(
    row: int, values: dict[str, Any], share: int, column: str, source: str
) -> Document | Rejection:
    if isinstance(found := _utf8(row, values, share, source), Rejection):
        return found
    if values[column] is None:
        return Rejection(source, row, "no text", f"the column {column} is empty in this row")
    kept = {name: value for name, value in values.items() if value is not None}
    document = document_of(kept, column, source)
    if problem := unstorable(document):
        return Rejection(source, row, "not Unicode", problem)
    return document


def _choose(file: Any, names: list[str], text_field: str | None) -> str | None:
    """The text column by its name, or the one with the longest texts in the first rows."""
    if not names:
        return None
    batch = next(file.iter_batches(_ROWS, columns=names), None) if text_field is None else None
    rows = []
    if batch is not None:
        columns = [_values(batch.column(name)) for name in names]
        rows = [[str(cell or "") for cell in cells] for cells in zip(*columns, strict=True)]
    place = text_column(names, rows, text_field)
    return None if place is None else names[place]


def _values(column: Any) -> list[Any]:
    """Python values; dates as ISO text; a text that is no UTF-8 stays bytes."""
    import pyarrow

    if pyarrow.types.is_temporal(column.type):
        column = column.cast(pyarrow.string())
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_decoded(cell) for cell in column.cast(pyarrow.large_binary()).to_pylist()]


def _decoded(cell: bytes | None) -> str | bytes | None:
    try:
        return cell if cell is None else cell.decode("utf-8")
    except UnicodeDecodeError:
        return cell


def _size(file: Any, group: int, wanted: list[str]) -> int:
    """Bytes that a group, or of a large one the wanted columns, say they unpack to.

    Of damaged files pyarrow ends the process where it is asked for a column, so that it is asked
    only where it must be.
    """
    about = file.metadata.row_group(group)
    if about.total_byte_size <= LARGEST_GROUP:
        return max(0, int(about.total_byte_size))
    columns = [about.column(i) for i in range(about.num_columns)]
    return sum(
        c.total_uncompressed_size for c in columns if c.path_in_schema.partition(".")[0] in wanted
    )


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_nest(kind: Any) -> bool:
    """Whether a column's values are lists, or structures, of what is plain."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(_is_plain(field.type) or _is_nest(field.type) for field in kind)
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_list and (_is_plain(kind.value_type) or _is_nest(kind.value_type)))


def _is_plain(kind: Any) -> bool:
    """Whether a column's values are texts, numbers or dates."""
    from pyarrow import types

    numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    dates = types.is_date(kind) or types.is_timestamp(kind)
    return bool(numbers or dates or _is_text(kind))
