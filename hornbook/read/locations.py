"""Where a source lies: on this machine, or in a store that fsspec can list and open by its URL.

A store's files are plain data (`RemoteFile`), since they are read in other processes. fsspec is
used directly: UPath keeps passwords and query strings in its names and suffixes, loses chained URLs
(zip://::https://...), and asks once more for every file that a listing has described already.
"""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.request import url2pathname

from hornbook.core.errors import HornbookError, UsageError
from hornbook.read.remote import WEB, RemoteStream, clean, connect, is_missing, reason_of

_URL = re.compile(
    r"(?P<wrappers>(?:\w+::)*)(?P<protocol>[a-z][a-z0-9+.-]*)://(?P<rest>.*?)(?P<inside>(?:::.*)?)",
    re.DOTALL,
)
"""fsspec's chains: `simplecache::s3://...`, or `zip://folder::https://...`, folder inside."""

_LOCAL = ("file", "local")
_BUFFER = 2**20

_CONTENT = (
    *("ETag", "etag", "Content-MD5", "Digest", "md5Hash", "checksum", "xet_hash", "blob_id"),
    *("sha", "CRC", "VersionId", "generation"),
)
"""What stores call something that changes with a file's content."""

_TIME = (
    *("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "modify"),
    *("modificationTime", "date_time", "created"),
)
"""What stores call the time of a file's last change."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a store, as its listing described it.

    label: its URL without what may be secret. size: bytes, or None where the store does not say.
    version: changes with the content; "" where the store tells nothing. source: the URL that was
    asked for, with its secrets. path: in the store.
    """

    label: str
    size: int | None
    version: str
    source: str = field(repr=False)
    path: str = field(repr=False)

    def __str__(self) -> str:
        return self.label

    @property
    def name(self) -> str:
        """The last part of the path."""
        found = _URL.fullmatch(self.label)
        return PurePosixPath(found["rest"] if found else self.label).name

    @property
    def suffix(self) -> str:
        """As of a Path: the last dot of the name and what follows."""
        return PurePosixPath(self.name).suffix

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file's bytes as a stream that seeks.

        Reading raises HornbookError when the store cannot be reached or the file was changed.
        """
        if mode != "rb":
            raise ValueError(f"a remote file is read as bytes only, not {mode!r}")
        stream = RemoteStream(self.source, self.path, self.label, self.size)
        return cast(BinaryIO, io.BufferedReader(stream, _BUFFER))

    def is_same(self, other: "RemoteFile") -> bool:
        """Whether both are one file of one store."""
        if self.path != other.path:
            return False
        return bool(connect(self.source)[0] == connect(other.source)[0])


AnyPath = Path | RemoteFile


def is_local(source: str | AnyPath) -> bool:
    """Whether a source is a path or file:// URL of this machine."""
    if isinstance(source, str):
        found = _URL.fullmatch(source)
        return found is None or (found["protocol"] in _LOCAL and _is_plain(found))
    return isinstance(source, Path)


def local_path(source: str | Path) -> Path:
    """The path of a local source.

    Raises UsageError for a file:// URL that is not absolute.
    """
    found = _URL.fullmatch(source) if isinstance(source, str) else None
    if found is None:
        return Path(source)
    rest = found["rest"].removeprefix("localhost")
    if not rest.startswith("/"):
        raise UsageError(f"{source} names a machine, not a folder; write file:///... or the path.")
    return Path(url2pathname(rest))


def lies_in(source: str | AnyPath, folder: Path) -> bool:
    """Whether a source or file is `folder` or lies in it; what is remote lies in no folder."""
    if isinstance(source, RemoteFile) or not is_local(source):
        return False
    return local_path(source).resolve().is_relative_to(folder.resolve())


def list_remote(url: str) -> list[RemoteFile]:
    """The file at a URL, or all files below it, sorted; hidden names are left out.

    Raises UsageError when nothing is there, the protocol is unknown or a package is missing, and
    HornbookError when the store cannot be reached or does not let us in.
    """
    label = clean(url)
    if (found := _URL.fullmatch(label)) and found["protocol"] in WEB and _is_plain(found):
        host, _, path = found["rest"].partition("/")
        if not host or not path or path.endswith("/"):
            raise UsageError(f"{label}: a web server lists no folders; give its files one by one.")
    try:
        store, root = connect(url)
        store.invalidate_cache()
        facts = store.info(root)
        single = facts["type"] != "directory"
        infos = {root: facts} if single else store.find(root, detail=True)
    except HornbookError:
        raise
    except Exception as error:  # every store raises its own
        if is_missing(error):
            gone = f"{label} does not exist, or may not be seen without credentials."
            raise UsageError(gone) from None
        raise HornbookError(f"{label} cannot be listed: {reason_of(error)}.") from None
    files = [
        RemoteFile(_label(label, inner), info.get("size"), _version(info), url, path)
        for path, info in infos.items()
        if (inner := "" if single else _inner(path, root)) is not None
        and (single or (info["type"] != "directory" and not _is_hidden(inner)))
    ]
    return sorted(files, key=str)


def unite(files: list[RemoteFile]) -> list[RemoteFile]:
    """The files sorted, each once.

    Raises UsageError when two differ only in what their names leave out.
    """
    found: dict[str, RemoteFile] = {}
    for file in files:
        other = found.setdefault(file.label, file)
        if other is not file and not other.is_same(file):
            raise UsageError(
                f"Two sources are both called {file.label}: names leave out users and what follows "
                "a question mark, which may be secret. Download one of them first."
            )
    return sorted(found.values(), key=str)


def _is_plain(found: re.Match[str]) -> bool:
    """Whether a URL is no chain."""
    return not found["wrappers"] and not found["inside"]


def _inner(path: str, root: str) -> str | None:
    """The part of a path below `root`; None for the marker of an empty folder."""
    inner = path.strip("/").removeprefix(root.strip("/")).strip("/")
    return None if not inner or path.endswith("/") else inner


def _is_hidden(inner: str) -> bool:
    return any(part.startswith(".") for part in inner.split("/"))


def _label(label: str, inner: str) -> str:
    found = _URL.fullmatch(label)
    if not inner or found is None:
        return label
    rest = found["rest"].rstrip("/")
    joined = f"{rest}/{inner}" if rest else inner
    return f"{found['wrappers']}{found['protocol']}://{joined}{found['inside']}"


def _version(info: dict[str, Any]) -> str:
    """From what the listing says; size and time count only together."""
    size = info.get("size")
    for name in _CONTENT:
        if info.get(name):
            return f"{info[name]} {size}"
    times = (info[name] for name in _TIME if info.get(name))
    return next((f"{time} {size}" for time in times if size is not None), "")
