"""E-books (EPUB 2 and 3): the chapters in reading order as one document."""

import io
import posixpath
import unicodedata
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

from hornbook.core.guarded import step
from hornbook.read.documents import CONTROLS, REPLACED, Document, Rejection
from hornbook.read.formats.decode import decode_labelled, is_wide, without_controls
from hornbook.read.formats.html import declared, page_text
from hornbook.read.formats.lines import broken
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole
from hornbook.read.formats.xhtml import element_of

LARGEST_FILE = 512 * 2**20
LARGEST_TEXT = 64 * 2**20
"""Bytes of the chapters when unpacked: a small archive can hold far more than the memory."""
MOST_CHAPTERS = 20_000
"""Files of a book that are read; large dictionaries have a few thousand."""

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_OPF = "application/oebps-package+xml"
_PAGES = frozenset(
    {
        "application/xhtml+xml",
        "application/x-dtbook+xml",
        "image/svg+xml",
        "text/html",
        "text/x-oeb1-document",
        "text/xml",
        "application/xml",
    }
)
_FIELDS = ("title", "creator", "language", "date")


class _Chapter(NamedTuple):
    """name: of its file in the archive; "" with a problem when there is none."""

    name: str
    problem: str = ""


class _Package(NamedTuple):
    """What the package file says. chapters: in reading order, then what stands in no order."""

    metadata: dict[str, str]
    chapters: list[_Chapter]


@reads(".epub")
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
            if len(package.chapters) > MOST_CHAPTERS:
                detail = f"{len(package.chapters):,}; the most is {MOST_CHAPTERS:,}"
                yield Rejection(source, None, "too many chapters", detail)
                return
            if (unpacked := _text_bytes(archive, package)) > LARGEST_TEXT:
                detail = f"{unpacked:,} bytes of text; the most is {LARGEST_TEXT:,}"
                yield Rejection(source, None, "file too large", detail)
                return
            items = list(_read(archive, package, source))
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, *broken("broken EPUB", error))
        return
    yield from items


def _text_bytes(archive: zipfile.ZipFile, package: _Package) -> int:
    """What the chapters say they unpack to; unpacking never gives more than they say."""
    sizes = {part.filename: part.file_size for part in archive.infolist()}
    return sum(sizes.get(chapter.name, 0) for chapter in package.chapters)


def _package(archive: zipfile.ZipFile) -> _Package:
    place = _package_place(archive)
    package = _xml(archive, place)
    items = [_Item.of(e) for e in package.iter() if _tag(e) == "item"]
    by_id = {item.id: item for item in items}
    names = _Names(archive, posixpath.dirname(place))
    chapters: list[_Chapter] = []
    read: set[str] = set()
    for element in package.iter():
        if _tag(element) == "itemref":
            wanted = element.get("idref", "")
            item = _readable(by_id.get(wanted), by_id)
            if item is None:
                chapters.append(_Chapter("", f"no item {wanted!r} in the manifest"))
            elif (name := names.find(item.href)) not in read:
                read.add(name)
                chapters.append(_Chapter(name))
    others = (names.find(item.href) for item in items if item.kind in _PAGES and not item.is_nav)
    chapters += [_Chapter(name) for name in dict.fromkeys(others) if name not in read]
    metadata: dict[str, str] = {}
    for element in package.iter():
        field, value = _tag(element), " ".join((element.text or "").split())
        if field in _FIELDS and value:
            metadata[field] = f"{metadata[field]}; {value}" if field in metadata else value
    return _Package(metadata, chapters)


class _Item(NamedTuple):
    """A file of the manifest. fallback: the id of one to read instead of it."""

    id: str
    href: str
    kind: str
    fallback: str
    is_nav: bool

    @classmethod
    def of(cls, element: ElementTree.Element) -> "_Item":
        id, href, kind, fallback, properties = (
            element.get(name, "") for name in ("id", "href", "media-type", "fallback", "properties")
        )
        return cls(id, href, kind.strip().lower(), fallback, "nav" in properties.split())


def _readable(item: _Item | None, by_id: dict[str, _Item]) -> _Item | None:
    """The item, or the first of its fallbacks that is a page."""
    first = item
    for _ in range(len(by_id)):
        if item is None or not item.kind or item.kind in _PAGES:
            return item or first
        item = by_id.get(item.fallback)
    return item or first


class _Names:
    """Files of the archive by what packages call them, which is not always their name."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._folder, self._all = folder, dict.fromkeys(archive.namelist())
        self._alike = {_plain(name): name for name in reversed(self._all)}

    def find(self, href: str) -> str:
        """The name in the archive, or what it would be."""
        path = href.partition("#")[0]
        names = [
            posixpath.normpath(posixpath.join(self._folder, name)).lstrip("/")
            for name in (unquote(path), path)
        ]
        found = (self._alike.get(_plain(name)) for name in names)
        return next((n for n in names if n in self._all), next(filter(None, found), names[0]))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()


def _package_place(archive: zipfile.ZipFile) -> str:
    """Where the package file is; books without the file that says so are opened too."""
    packages = [name for name in archive.namelist() if name.lower().endswith(".opf")]
    if _CONTAINER in archive.namelist():
        roots = [e for e in _xml(archive, _CONTAINER).iter() if _tag(e) == "rootfile"]
        kinds = [e for e in roots if e.get("media-type", _OPF) == _OPF]
        packages = [e.get("full-path", "").lstrip("/") for e in kinds or roots] + packages
    if not packages:
        raise ValueError("no package file")
    return next((name for name in packages if name in archive.namelist()), packages[0])


def _read(
    archive: zipfile.ZipFile, package: _Package, source: str
) -> Iterator[Document | Rejection]:
    locked = _locked(archive)
    texts: list[str] = []
    starts: list[int] = []
    length = 0
    replaced = controls = 0
    for number, (name, problem) in enumerate(package.chapters, 1):
        starts.append(length)
        if problem:
            yield Rejection(source, number, "broken chapter", problem)
            continue
        if name in locked:
            yield Rejection(source, number, "locked chapter", f"{name} is encrypted")
            continue
        if fault := step(_unpacked_size(archive, name)):
            yield Rejection(source, number, *fault, _packed_size(archive, name))
            continue
        try:
            text, lost, odd = _chapter(archive, name)
        except Exception as error:  # as above, of the part alone
            fault = broken("broken chapter", error)
            detail = f"{name}: {fault.detail}"
            yield Rejection(source, number, fault.reason, detail, _packed_size(archive, name))
            continue
        replaced, controls = replaced + lost, controls + odd
        if text:
            texts.append(text + "\n\n")
            length += len(texts[-1])
    if texts:
        metadata: dict[str, Any] = {**package.metadata, "chapters": starts}
        metadata |= {k: v for k, v in ((REPLACED, replaced), (CONTROLS, controls)) if v}
        created = package.metadata.get("date", "")
        yield Document("", "".join(texts), source, created=created, metadata=metadata)
    elif not package.chapters:
        yield Rejection(source, None, "broken EPUB", "no chapters in the reading order")
    else:
        detail = f"{len(package.chapters)} chapters without text"
        yield Rejection(source, None, "EPUB without text", detail)


def _chapter(archive: zipfile.ZipFile, name: str) -> tuple[str, int, int]:
    """Its text, how many characters could not be decoded, and how many controls it had."""
    data = archive.read(name)
    if b"\0" in data and not is_wide(data):
        raise ValueError("holds NUL bytes")
    page = page_text(data, main=False, xml=True)
    text, controls = without_controls(page.text)
    return text.strip(), page.replaced, controls


def _packed_size(archive: zipfile.ZipFile, name: str) -> int:
    part = archive.NameToInfo.get(name)
    return part.compress_size if part else 0


def _unpacked_size(archive: zipfile.ZipFile, name: str) -> int:
    part = archive.NameToInfo.get(name)
    return part.file_size if part else 0


def _locked(archive: zipfile.ZipFile) -> set[str]:
    """Parts that cannot be read without a key; publishers also list mangled fonts here."""
    if _ENCRYPTION not in archive.namelist():
        return set()
    references = (e for e in _xml(archive, _ENCRYPTION).iter() if _tag(e) == "CipherReference")
    names = (unquote(e.get("URI", "")).lstrip("/") for e in references)
    return {posixpath.normpath(name) for name in names}


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > LARGEST_TEXT:
        raise ValueError(f"{name} is too large")
    data = archive.read(name)
    return element_of(decode_labelled(data, declared(data)).text)


def _tag(element: ElementTree.Element) -> str:
    """The name without its namespace."""
    return str(element.tag).rpartition("}")[2]
