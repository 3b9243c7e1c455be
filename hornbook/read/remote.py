"""How fsspec is spoken to: a store by its URL, its files as streams that outlive a connection.

A connection that breaks is tried again and then stops the work. It is no rejection: the record is
not bad, and a corpus must not be shorter because a network was down. A refusal counts the same,
since credentials that run out in the middle would leave out all the files that follow.
"""

import io
import re
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.lines import first_line

WEB = ("http", "https")

WAITS_S = (1.0, 10.0)
"""Before a read that failed is tried again; S3 and the Hub try several times by themselves."""

SILENCE_S = 60.0
"""After which a web server that sends nothing is given up; a long download may take hours."""

_PACKAGES = {
    "s3": "'hornbook[remote]' s3fs",
    "s3a": "'hornbook[remote]' s3fs",
    "gs": "'hornbook[remote]' gcsfs",
    "gcs": "'hornbook[remote]' gcsfs",
    "az": "'hornbook[remote]' adlfs",
    "abfs": "'hornbook[remote]' adlfs",
    "hf": "'hornbook[hub,remote]'",
}
"""What to install for a protocol; the others need the extra `remote` or what fsspec says."""

_COMMON = ("file", "gs", "hf", "http", "https", "s3", "zip")

_DAMAGE = (zipfile.BadZipFile, zlib.error)
"""Raised by what was read, not by the way it came."""

Result = TypeVar("Result")


def clean(url: str) -> str:
    """A URL as it may be shown: without user and password, and without a web URL's query."""
    links = []
    for link in url.split("::"):
        protocol, mark, rest = link.partition("://")
        if mark:
            host, slash, path = rest.partition("/")
            user, _, host = host.rpartition("@")
            if user and ":" not in user and protocol not in WEB:
                host = f"{user}@{host}"  # a bucket's or user's name, which is needed
            rest = host + slash + path
        if protocol in WEB or protocol.startswith(("dav", "web")):
            rest = re.split(r"[?#]", rest, maxsplit=1)[0]
        links.append(protocol + mark + rest)
    return "::".join(links)


def connect(url: str) -> tuple[Any, str]:
    """The store (made once a process by fsspec) and the path in it.

    Raises UsageError for an unknown protocol or a missing package; the store's own errors pass.
    """
    label = clean(url)
    protocols = re.findall(r"(?:^|::)([a-z][a-z0-9+.-]*)(?=://|::)", url)
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{label} needs fsspec: pip install 'hornbook[remote]'.") from None
    known = fsspec.available_protocols()
    if strange := [protocol for protocol in protocols if protocol not in known]:
        raise unknown("protocol", strange[0], _COMMON)
    try:
        options = {name: _web_options() for name in protocols if name in WEB}
        return cast(tuple[Any, str], fsspec.core.url_to_fs(url, **options))
    except ImportError as error:
        package = next((_PACKAGES[p] for p in protocols if p in _PACKAGES), "'hornbook[remote]'")
        raise UsageError(
            f"{label} needs a package that is not installed ({reason_of(error)}): "
            f"pip install {package}."
        ) from None


def _web_options() -> dict[str, Any]:
    """aiohttp's own limit ends every download after five minutes, however well it runs.

    fsspec's usual cache for the web, `bytes`, fetches a third of what is read in order twice.
    """
    import aiohttp

    limits = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
    return {"timeout": limits, "cache_type": "readahead"}


class RemoteStream(io.RawIOBase):
    """A remote file that seeks and goes on after a broken connection; bytes come in pieces.

    A store that gives no part of a file by its place is copied to a temporary file first, since
    every reader goes back at least to the start. url, path: of the store and in it. label: for
    messages. size: bytes, or None where the store does not say.
    """

    def __init__(self, url: str, path: str, label: str, size: int | None) -> None:
        self._url, self._path, self._label = url, path, label
        self._size = size
        self._whole = size is None
        self._file: Any = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            if self._size is None:
                self._patiently(self._open)
            position += self._size or 0
        elif whence == io.SEEK_CUR:
            position += self._at
        if position < 0:
            raise ValueError(f"no place before the start: {position}")
        self._at = position
        return position

    def readinto(self, buffer: Any) -> int:
        data = self._patiently(lambda: self._read(len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()

    def _patiently(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, tried again from a new connection while there is hope."""
        for wait in (*WAITS_S, None):
            try:
                return work()
            except HornbookError:
                self._drop()
                raise
            except _DAMAGE as error:
                raise OSError(f"{type(error).__name__}: {error}") from None
            except Exception as error:  # every store raises its own
                self._drop()
                if wait is None or _is_final(error):
                    raise self._failure(reason_of(error)) from None
                time.sleep(wait)
        raise AssertionError("the last wait is None")

    def _failure(self, reason: str) -> HornbookError:
        return HornbookError(
            f"{self._label} could not be read from byte {self._at:,} on: {reason}. "
            "It is not left out, for then the result would depend on the network; "
            "run the same command again."
        )

    def _read(self, most: int) -> bytes:
        self._open()
        try:
            data = self._part(most)
        except ValueError:  # fsspec's for a server that only sends whole files
            if self._whole:
                raise
            self._drop()
            self._whole = True
            self._open()
            data = self._part(most)
        if not data and most and self._size is not None and self._at < self._size:
            raise EOFError(f"only {self._at:,} of {self._size:,} bytes came")
        return data

    def _part(self, most: int) -> bytes:
        if self._size is not None and self._at >= self._size:
            return b""
        if self._file.tell() != self._at:
            self._file.seek(self._at)
        return bytes(self._file.read(most))

    def _open(self) -> None:
        if self._file is not None:
            return
        store, path = connect(self._url)[0], self._path
        if self._whole:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _drop
            store.get_file(path, self._file)
            found = self._file.seek(0, io.SEEK_END)
            if self._size is not None and found < self._size:
                raise EOFError(f"only {found:,} of {self._size:,} bytes came")
        else:
            self._file = store.open(path, "rb")
            found = getattr(self._file, "size", None)
        if self._size is not None and isinstance(found, int) and found != self._size:
            raise self._failure(f"it has {found:,} bytes now, and had {self._size:,} when listed")
        if self._size is None:
            self._size = found

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except Exception:  # of a connection that is given up
                return


def is_missing(error: Exception) -> bool:
    """fsspec calls whatever goes wrong with a web server a missing file; its cause tells more."""
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or cause is None:
        return isinstance(error, FileNotFoundError)
    is_web = type(cause).__module__.startswith("aiohttp") or isinstance(cause, TimeoutError)
    return not is_web or _status(cause) in (404, 410)


def _is_final(error: Exception) -> bool:
    """Whether another try would end the same way."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else None
    status = _status(cause or error)
    if status is not None:
        return 400 <= status < 500 and status not in (408, 429)
    return is_missing(error) or isinstance(error, PermissionError | NotImplementedError)


def _status(error: BaseException) -> int | None:
    """Of a web server's answer, as aiohttp's errors have it or as httpx's and requests' do."""
    status = getattr(error, "status", None)
    status = status or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def reason_of(error: Exception) -> str:
    """One line without what may be secret."""
    cause = error.__cause__
    told = cause if isinstance(error, FileNotFoundError) and cause else error
    text = first_line(str(told))
    text = re.sub(r"(\w://)[^/\s'\"]*@", r"\1", text)
    text = re.sub(r"(\w://(?:(?!://)[^\s?#'\"])*)[?#][^\s'\")]*", r"\1", text)
    return f"{type(told).__name__}: {text[:300]}".removesuffix(": ").rstrip(".")
