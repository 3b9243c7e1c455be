"""Whole files or none: write aside, flush to disk, rename; and honest messages when disks fail."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hornbook.core import asides
from hornbook.core.errors import HornbookError
from hornbook.core.json_text import NotJson, parse_json
from hornbook.core.signals import held

if TYPE_CHECKING:
    import numpy as np

_REFUSALS = {
    errno.ENOSPC: "The disk is full while writing {}.",
    errno.EDQUOT: "The disk quota is used up while writing {}.",
    errno.EACCES: "No permission to write {}.",
    errno.EPERM: "No permission to write {}.",
    errno.EROFS: "{} is on a read-only disk.",
    errno.EFBIG: "{} would be larger than a file may be here.",
    errno.EIO: "The disk failed while writing {}.",
}
_NUMPYS = re.compile(r"^\d+ requested and \d+ written")
"""What `ndarray.tofile` says of a disk that is full, in place of the system's number."""
_PLACES = {
    errno.ENOTDIR: "A part of the path {} is a file, not a folder.",
    errno.EEXIST: "A part of the path {} is a file, not a folder.",
    errno.EISDIR: "{} is a folder, not a file.",
    errno.ENOENT: "No folder can be made for {}.",
    errno.ENAMETOOLONG: "The name {} is too long for this disk.",
}


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the disk's refusals (full, no permission) into one sentence naming `path`.

    What else goes wrong inside, such as a missing file that is read there, is passed on.
    """
    with _worded(path, _REFUSALS):
        yield


@contextlib.contextmanager
def place_errors(path: Path) -> Iterator[None]:
    """As `disk_errors`, and for a path that cannot be."""
    with _worded(path, _REFUSALS | _PLACES):
        yield


@contextlib.contextmanager
def _worded(path: Path, reasons: Mapping[int, str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        number = errno.ENOSPC if _NUMPYS.search(str(error)) else error.errno
        if number is None or number not in reasons:
            raise
        reason = reasons[number].format(asides.shown(path))
        raise HornbookError(f"{reason} Nothing half-written was left.") from error


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, in a folder beside `path`; it becomes `path` only when the block
    succeeds.

    A crash leaves the old `path` as it was. Raises HornbookError when the disk refuses.
    """
    with place_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        asides.sweep(path)
    try:
        with disk_errors(path):
            aside = asides.begin(path) / path.name
            yield aside
            flush(aside)
            with held():
                aside.replace(path)
                flush(path.parent)
    finally:
        asides.drop(asides.partial_of(path))


def flush(path: Path) -> None:
    """Ask the system to put a file's or folder's content on the disk before we rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def save_array(path: Path, array: "np.ndarray") -> None:
    """As numpy.save, which does not say that a disk is full."""
    import numpy as np

    array = np.ascontiguousarray(array)
    with path.open("wb") as stream:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(array.data)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises HornbookError naming the file when it is missing or broken."""
    try:
        data = path.read_bytes()
        encoding = json.detect_encoding(data)
        return parse_json(data.decode(encoding))
    except FileNotFoundError:
        raise HornbookError(f"{path} does not exist.") from None
    except OSError as error:
        raise HornbookError(f"{path} cannot be read: {error.strerror}.") from None
    except (NotJson, UnicodeDecodeError) as error:
        raise HornbookError(f"{path} is not valid JSON: {error}.") from None


def read_object(path: Path) -> dict[str, Any]:
    """As `read_json`, of a file that must hold names and values."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise HornbookError(f"{path} holds a {type(value).__name__}, not names and values.")
    return value


def hash_json(value: Any) -> str:
    """A 32-digit hexadecimal fingerprint of plain data, the same on every machine."""
    packed = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(packed.encode("utf-8"), digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """A 32-digit hexadecimal fingerprint of a file's bytes, read in pieces of 1 MiB."""
    with path.open("rb") as stream:
        return hash_stream(stream)


def hash_stream(stream: BinaryIO) -> str:
    """As `hash_file`, of what a stream still holds."""
    digest = hashlib.blake2b(digest_size=16)
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Refuse before long work when `folder`'s disk has less than `needed_bytes` free."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise HornbookError(
            f"{what} needs about {needed_bytes / 2**20:,.0f} MiB in {folder}, "
            f"but the disk has {free / 2**20:,.0f} MiB free."
        )
