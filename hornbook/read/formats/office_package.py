"""The archive behind a file of an office: which part is which, and the plain Word file to read."""

import io
import posixpath
import zipfile
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

from hornbook.read.formats.lines import Fault

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MAIN = "word/document.xml"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEALED = "EncryptedPackage".encode("utf-16-le")
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}title"

LARGEST_FILE = 512 * 2**20
LARGEST_XML = 64 * 2**20
"""Bytes of the text parts when unpacked: a small archive can hold far more than the memory."""


class Relation(NamedTuple):
    """kind: the last word of its type. target: a name in the archive, or an address outside it."""

    kind: str
    target: str


def unreadable(data: bytes, kind: str) -> Fault | None:
    """Why a file is not opened at all, or None. kind: what it should be, such as "Word file".

    Raises BadZipFile for what is no archive.
    """
    if data.startswith(_OLD_OFFICE):
        reason = f"encrypted {kind}" if _SEALED in data else f"old {kind}"
        return Fault(reason, "no archive of XML inside")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()  # unpacking never gives more than they say
    unpacked = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    if unpacked > LARGEST_XML:
        detail = f"{unpacked:,} bytes of XML; the most is {LARGEST_XML:,}"
        return Fault("file too large", detail)
    return None


def title_in(root: Iterable[ElementTree.Element]) -> str:
    """What a file calls itself, in the XML of its properties."""
    found = (element.text for element in root if element.tag == _DUBLIN_CORE)
    return " ".join((next(found, "") or "").split())


class OfficePackage:
    """A file's parts. main: the part that all else hangs on, where the file does not name it.

    Raises KeyError, ValueError or BadZipFile for what is no such file.
    """

    def __init__(self, data: bytes, main: str = _MAIN) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = {name.replace("\\", "/").lower(): name for name in self._archive.namelist()}
        places = [r.target for r in self.relations("").values() if r.kind == "officeDocument"]
        known = [place for place in (*places, main) if place.lower() in self._names]
        if not known:
            raise ValueError("no document inside")
        self.main = known[0]

    def read(self, name: str) -> bytes:
        """The bytes of a part."""
        return self._archive.read(self._names[name.lower()])

    def root(self, name: str) -> ElementTree.Element:
        """The XML of a part."""
        return ElementTree.fromstring(self.read(name))

    def title(self) -> str:
        """What the file calls itself."""
        name = self.related("core-properties", "../docProps/core.xml")
        return "" if name is None else title_in(self.root(name))

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to, by id; of the package itself for ""."""
        folder, name = posixpath.split(part)
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        if place.lower() not in self._names:
            return {}
        found: dict[str, Relation] = {}
        for element in self.root(place):
            target = element.get("Target", "")
            if element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target)))[1:]
            kind = element.get("Type", "").rpartition("/")[2]
            found[element.get("Id", "")] = Relation(kind, target)
        return found

    def related(self, kind: str, fallback: str) -> str | None:
        """The part of this kind that the document, or the package, refers to."""
        relations = (*self.relations(self.main).values(), *self.relations("").values())
        names = [relation.target for relation in relations if relation.kind == kind]
        names.append(posixpath.normpath(posixpath.join(posixpath.dirname(self.main), fallback)))
        return next((name for name in names if name.lower() in self._names), None)


def plain_package(body: str, notes: Iterable[tuple[str, str]]) -> io.BytesIO:
    """A Word file that holds nothing but text. notes: (kind, XML of all), as in footnotes."""
    out = io.BytesIO()
    relations = [("officeDocument", _MAIN)]
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("_rels/.rels", _relations(relations))
        archive.writestr(_MAIN, f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>')
        kinds = []
        for kind, xml in notes:
            kinds.append((kind, f"{kind}.xml"))
            archive.writestr(f"word/{kind}.xml", f'<w:{kind} xmlns:w="{_W}">{xml}</w:{kind}>')
        archive.writestr("word/_rels/document.xml.rels", _relations(kinds))
    out.seek(0)
    return out


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets)
    )
    return f'<Relationships xmlns="{_RELATIONS}">{items}</Relationships>'
