"""Tables as files: every format in which tests write one, packed or not."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from backports import zstd

PACK = {".gz": gzip.compress, ".zst": zstd.compress}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A file of this content, packed as its name says."""
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path = folder / name
    path.write_bytes(PACK.get(path.suffix, bytes)(data))
    return path


def quoted(
    rows: Iterable[Sequence[Any]], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL,
    end: str = "\r\n",
) -> str:  # fmt: skip
    """Delimited text."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return out.getvalue()


def objects(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def jsonl(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet(rows: pa.Table | list[dict[str, Any]], **options: Any) -> bytes:
    """options: those of pyarrow.parquet.write_table."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()
