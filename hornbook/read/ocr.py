"""Pages of a PDF that are pictures, read by `tesseract` where it is installed.

Only pages without text that have something on them. Both the picture and the reading are done in a
guarded process. Knows pages; what a document is made of besides is `formats`' business.
"""

import dataclasses
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hornbook.core.guarded import Values, step
from hornbook.core.isolation import program, run
from hornbook.read.documents import PAGES_WITHOUT_TEXT, Document, Rejection
from hornbook.read.formats.decode import without_controls
from hornbook.read.locations import AnyPath, RemoteFile
from hornbook.read.sources import format_of, name_of, read_guarded

READ_BY_OCR = "pages_read_by_ocr"
"""In the metadata: how many pages have the text that tesseract read."""
_DOTS_PER_INCH = 200
_MOST_LANGUAGES = 4
"""Each takes its own time."""


def can_read_pictures() -> bool:
    """Whether tesseract is installed."""
    return program("tesseract") is not None


def with_pictures_read(
    items: Iterator[Document | Rejection], path: AnyPath
) -> Iterator[Document | Rejection]:
    """What was read of a file, with its pages that are pictures as text, if they can be read."""
    if format_of(path) != ".pdf" or isinstance(path, RemoteFile) or not can_read_pictures():
        yield from items
        return
    for item in items:
        if isinstance(item, Document) and item.metadata.get(PAGES_WITHOUT_TEXT):
            yield _with(item, dict(_pages(path, _blank(item))))
        elif isinstance(item, Rejection) and item.reason == "PDF without text":
            read = dict(_pages(path, None))
            pages = list(range(max(read, default=-1) + 1))
            empty = Document(f"{name_of(path)}:0", "", name_of(path), metadata={"pages": pages})
            yield _with(empty, read) if any(read.values()) else item
        else:
            yield item


def _blank(document: Document) -> list[int]:
    """The numbers of the pages, from 0, that have no text."""
    return [i for i, text in enumerate(_texts(document)) if not text.strip()]


def _texts(document: Document) -> list[str]:
    starts: list[int] = document.metadata["pages"]
    ends = [*starts[1:], len(document.text)]
    return [document.text[a:b] for a, b in zip(starts, ends, strict=True)]


def _with(document: Document, read: dict[int, str]) -> Document:
    """A document with the texts of some pages in their places."""
    texts = [read.get(i) or text for i, text in enumerate(_texts(document))]
    starts, place = list[int](), 0
    for text in texts:
        starts.append(place)
        place += len(text)
    found = sum(1 for text in read.values() if text)
    blank = sum(1 for text in texts if not text.strip())
    metadata: dict[str, Any] = {**document.metadata, "pages": starts, READ_BY_OCR: found}
    metadata[PAGES_WITHOUT_TEXT] = blank
    return dataclasses.replace(document, text="".join(texts), metadata=metadata)


def _pages(path: AnyPath, numbers: list[int] | None) -> Iterator[tuple[int, str]]:
    for item in read_guarded(read_pictures, path, numbers):
        if not isinstance(item, Rejection):
            (number,), text = item
            yield number, text


def read_pictures(place: str, numbers: list[int] | None) -> Iterator[Values]:
    """The number and text of pages, all where no numbers are given; "" for what cannot be read.

    For the process that is guarded.
    """
    import pypdfium2

    with pypdfium2.PdfDocument(place) as pdf, tempfile.TemporaryDirectory() as folder:
        for number in range(len(pdf)) if numbers is None else numbers:
            if step(Path(place).stat().st_size // len(pdf)):
                yield [number], ""
                continue
            yield [number], _read(pdf, number, Path(folder))


def _read(pdf: Any, number: int, folder: Path) -> str:
    import pypdfium2

    try:
        page = pdf[number]
        try:
            if next(page.get_objects(max_depth=1), None) is None:
                return ""
            picture = page.render(scale=_DOTS_PER_INCH / 72, grayscale=True).to_numpy()
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        return ""
    height, width = picture.shape[:2]
    (folder / "page.pgm").write_bytes(b"P5 %d %d 255\n" % (width, height) + picture.tobytes())
    done = run([*_tesseract(), "page.pgm", "stdout", "-l", _languages()], folder)
    text = without_controls(done.stdout)[0].strip()
    return text + "\n\n" if text and done.returncode == 0 else ""


@cache
def _tesseract() -> tuple[str, ...]:
    return tuple(program("tesseract") or ())


@cache
def _languages() -> str:
    """Those that are installed, English first; a few, since each takes its time."""
    said = run([*_tesseract(), "--list-langs"], Path(tempfile.gettempdir())).stdout
    names = [name.strip() for name in said.split("\n")[1:] if name.strip() not in ("", "osd")]
    return "+".join(sorted(names, key=lambda name: name != "eng")[:_MOST_LANGUAGES]) or "eng"
