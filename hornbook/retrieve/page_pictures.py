"""Pages of PDF files as pictures, and the rectangles of quotes on them.

A quote is looked for among the page's own characters, whatever its breaks and ligatures, and each
character has a box. To be run in a guarded process: files are strangers'.
"""

import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hornbook.core.guarded import step
from hornbook.read.formats.pdf_columns import Box, characters, in_columns, turned_box
from hornbook.retrieve.matching import find, plain

_FINE = 10_000
"""Steps that a page's side is measured in."""
_TURNS = (0, 90, 270, 180)
"""Degrees by which a line may run another way than from left to right."""
_SCALE, _WIDEST = 1.5, 1600
"""Pixels a point, and of a picture's longer side at most."""


class Rectangle(NamedTuple):
    """A part of a line, as shares of the page's width and height from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


def pictures(path: str, pages: list[int], quotes: list[list[Any]]) -> Iterator[tuple[Any, str]]:
    """Each page (from 1) as {page, width, height, rectangles} and a PNG in base64.

    quotes: of each page, [text, share of the page before it] each. rectangles: of each quote, none
    where the page does not show it.
    """
    import pypdfium2

    with pypdfium2.PdfDocument(path) as pdf:
        for number, wanted in zip(pages, quotes, strict=True):
            if step(2**20) or not 1 <= number <= len(pdf):
                continue
            page = pdf[number - 1]
            try:
                width, height = page.get_size()
                found = [rectangles(page, text, near) for text, near in wanted]
                facts = {"page": number, "width": width, "height": height, "rectangles": found}
                yield facts, _picture(page, width, height)
            finally:
                page.close()


def rectangles(page: Any, quote: str, near: float = 0.0) -> list[Rectangle]:
    """Where a page shows a quote, a rectangle for each line; none where it does not.

    near: of several places, the one nearest to this share of the page's text.
    """
    textpage = page.get_textpage()
    try:
        text = characters(textpage, textpage.get_text_range())
        pieces = in_columns(textpage, text, page.get_rotation())
        spans = [(one.start, one.stop) for one in pieces or ()] or [(0, len(text))]
        order = [i for span in spans for i in range(*span)]
        read = "".join(text[i] for i in order)
        here, goal = plain(read), round(near * len(read))
        whole = find(here, quote, goal)
        # A part of it may be on the next page, or in another order than a reader saw.
        parts = [whole] if whole else [find(here, line, goal) for line in quote.split("\n")]
        boxes = [
            textpage.get_charbox(order[i], loose=True)
            for span in filter(None, parts)
            for i in range(span.start, span.end)
            if not read[i].isspace()
        ]
        return [_seen(page, line) for line in _fewest(boxes)]
    finally:
        textpage.close()


def _fewest(boxes: Sequence[Box]) -> list[Box]:
    """The lines of characters, whichever way they run on the page."""
    ways = ((turn, _lines([turned_box(box, turn) for box in boxes])) for turn in _TURNS)
    turn, lines = min(ways, key=lambda way: len(way[1]))
    return [turned_box(line, (360 - turn) % 360) for line in lines]


def _lines(boxes: Sequence[Box]) -> list[Box]:
    """The boxes of characters in their order, those of a line together."""
    found: list[Box] = []
    for box in boxes:
        left, bottom, right, top = box
        if right <= left or top <= bottom:
            continue
        if found and _goes_on(found[-1], box):
            last = found[-1]
            found[-1] = (
                min(last[0], left), min(last[1], bottom), max(last[2], right), max(last[3], top)
            )  # fmt: skip
        else:
            found.append(box)
    return found


def _goes_on(line: Box, box: Box) -> bool:
    """Whether a box stands in the line, not far behind its end."""
    left, bottom, _, top = box
    height = top - bottom
    behind = left - line[2]
    return line[1] <= (bottom + top) / 2 <= line[3] and -height <= behind <= 4 * height


def _seen(page: Any, box: Box) -> Rectangle:
    """A box as the page is shown: turned, and cut to what is seen."""
    import ctypes

    import pypdfium2.raw as raw

    corners = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(
            page, 0, 0, _FINE, _FINE, 0, x, y, ctypes.byref(across), ctypes.byref(down)
        )
        corners.append((across.value / _FINE, down.value / _FINE))
    (x0, y0), (x1, y1) = corners
    return Rectangle(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _picture(page: Any, width: float, height: float) -> str:
    scale = min(_SCALE, _WIDEST / max(width, height, 1.0))
    bitmap = page.render(scale=scale, rev_byteorder=True)
    pixels = bitmap.to_numpy()[:, :, :3]
    return base64.b64encode(png(pixels.tobytes(), pixels.shape[1], pixels.shape[0])).decode()


def png(pixels: bytes, width: int, height: int) -> bytes:
    """A PNG file of rows of red, green and blue bytes."""
    row = 3 * width
    lines = b"".join(b"\0" + pixels[i * row : (i + 1) * row] for i in range(height))

    def part(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(lines, 6)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", packed) + part(b"IEND", b"")
