"""E-books (EPUB 2 and 3): the chapters in reading order as one document.

Knows the archive, its package file and its spine; a chapter's text is `html`'s business.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import encoding_of
from hornbook.corpus.readers.html import page_text
from hornbook.corpus.readers.whole import read_whole

LARGEST_FILE = 512 * 2**20
LARGEST_TEXT = 64 * 2**20
"""Bytes of the chapters when unpacked: a small archive can hold far more than the memory."""

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_FIELDS = ("title", "creator", "language", "date")


class _Package(NamedTuple):
    """What the package file says. chapters: names in the archive, in reading order."""

    metadata: dict[str, str]
    chapters: list[str]


def read_epub(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document with `chapters`, the character at which each begins, in the metadata.

    A broken or locked chapter costs itself; its rejection has its number in the reading order.
    """
    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            package = _package(archive)
            if (unpacked := _text_bytes(archive, package)) > LARGEST_TEXT:
                detail = f"{unpacked:,} bytes of text; the most is {LARGEST_TEXT:,}"
                yield Rejection(source, None, "file too large", detail)
                return
            items = list(_read(archive, package, source))
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, "broken EPUB", f"{type(error).__name__}: {error}")
        return
    yield from items


def _text_bytes(archive: zipfile.ZipFile, package: _Package) -> int:
    """What the chapters say they unpack to; unpacking never gives more than they say."""
    sizes = {part.filename: part.file_size for part in archive.infolist()}
    return sum(sizes.get(name, 0) for name in package.chapters)


def _package(archive: zipfile.ZipFile) -> _Package:
    container = _xml(archive, _CONTAINER)
    place = next(e.get("full-path", "") for e in container.iter() if _tag(e) == "rootfile")
    package = _xml(archive, place)
    files = {e.get("id"): e.get("href", "") for e in package.iter() if _tag(e) == "item"}
    folder = posixpath.dirname(place)
    chapters = [
        posixpath.normpath(posixpath.join(folder, unquote(files[e.get("idref")])))
        for e in package.iter()
        if _tag(e) == "itemref" and e.get("idref") in files
    ]
    metadata: dict[str, str] = {}
    for element in package.iter():
        name, value = _tag(element), " ".join((element.text or "").split())
        if name in _FIELDS and value:
            metadata[name] = f"{metadata[name]}; {value}" if name in metadata else value
    return _Package(metadata, chapters)


def _read(
    archive: zipfile.ZipFile, package: _Package, source: str
) -> Iterator[Document | Rejection]:
    locked = _locked(archive)
    texts: list[str] = []
    starts: list[int] = []
    length = 0
    for number, name in enumerate(package.chapters, 1):
        starts.append(length)
        if name in locked:
            yield Rejection(source, number, "locked chapter", f"{name} is encrypted")
            continue
        try:
            text = _chapter(archive, name)
        except Exception as error:  # as above, of the part alone
            detail = f"{name}: {type(error).__name__}: {error}"
            yield Rejection(source, number, "broken chapter", detail, _packed_size(archive, name))
            continue
        if text:
            texts.append(text + "\n\n")
            length += len(texts[-1])
    if texts:
        metadata: dict[str, Any] = {**package.metadata, "chapters": starts}
        created = package.metadata.get("date", "")
        yield Document("", "".join(texts), source, created=created, metadata=metadata)
    elif not package.chapters:
        yield Rejection(source, None, "broken EPUB", "no chapters in the reading order")
    else:
        detail = f"{len(package.chapters)} chapters without text"
        yield Rejection(source, None, "EPUB without text", detail)


def _chapter(archive: zipfile.ZipFile, name: str) -> str:
    data = archive.read(name)
    if b"\0" in data and encoding_of(data) != "utf-16":
        raise ValueError("holds NUL bytes")
    return page_text(data, main=False)[1].strip()


def _packed_size(archive: zipfile.ZipFile, name: str) -> int:
    return archive.getinfo(name).compress_size if name in archive.namelist() else 0


def _locked(archive: zipfile.ZipFile) -> set[str]:
    """Parts that cannot be read without a key; publishers also list mangled fonts here."""
    if _ENCRYPTION not in archive.namelist():
        return set()
    references = (e for e in _xml(archive, _ENCRYPTION).iter() if _tag(e) == "CipherReference")
    return {unquote(e.get("URI", "")) for e in references}


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > LARGEST_TEXT:
        raise ValueError(f"{name} is too large")
    return ElementTree.fromstring(archive.read(name))


def _tag(element: ElementTree.Element) -> str:
    """The name without its namespace."""
    return str(element.tag).rpartition("}")[2]
