"""What was pulled into a folder, and from where: noted beside it, and compared with later."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.asides import UNFINISHED
from hornbook.core.claims import MARKER
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json

RECORD = "pulled.json"
_NOT = (MARKER, UNFINISHED, RECORD)
"""Not of the model."""


class Unreachable(Exception):
    """A source does not have what is wanted; says why."""


class Record(NamedTuple):
    """name: as it was asked for. revision: the commit, of a source at the hub. files: bytes and
    sha256 by name."""

    name: str
    source: str
    licence: str | None
    revision: str | None
    files: Mapping[str, Mapping[str, Any]] = {}


def write_record(folder: Path, record: Record) -> None:
    """Note all files of `folder` by their hashes."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _NOT]
    noted = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in files
    }
    write_json(folder / RECORD, record._replace(files=noted)._asdict())


def read_record(folder: Path) -> Record | None:
    """What is noted in a folder, or None. Raises HornbookError for a broken note."""
    path = folder / RECORD
    if not path.is_file():
        return None
    values = read_json(path)
    files = values.get("files") if isinstance(values, dict) else None
    if not isinstance(files, dict) or not all(isinstance(each, dict) for each in files.values()):
        raise HornbookError(f"{path} does not say what was pulled; delete the folder.")
    known = {key: values.get(key) for key in Record._fields}
    return Record(**known)


def unchanged(folder: Path, record: Record) -> bool:
    """Whether all files that are noted are there, with their content."""
    return all(
        is_file(folder / name, noted.get("bytes"), noted.get("sha256"))
        for name, noted in record.files.items()
    )


def is_file(path: Path, size: int | None, digest: str | None) -> bool:
    """Whether a file is there, of this size and content, as far as they are known."""
    if not path.is_file() or size not in (None, path.stat().st_size):
        return False
    return digest is None or sha256(path) == digest


def sha256(path: Path) -> str:
    """Of the content of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def total(sizes: Iterable[int | None]) -> int:
    """The sum of the sizes that are known."""
    return sum(size or 0 for size in sizes)
