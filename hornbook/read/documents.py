"""A document (Dolma's record) and a rejection: what reading a source gives."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

REPLACED, CONTROLS, LEFT_OUT = "characters_replaced", "controls_removed", "parts_left_out"
"""What a reader notes in a document's metadata: characters that could not be decoded (U+FFFD stands
for them), controls and noncharacters taken out, names of what is no text and was left out, pages
that hold none, lines of headers and footers that earlier pages have."""
PAGES_WITHOUT_TEXT, REPEATED_LINES = "pages_without_text", "repeated_lines"
NOTED = (REPLACED, CONTROLS, LEFT_OUT, PAGES_WITHOUT_TEXT, REPEATED_LINES)


@dataclass(frozen=True, slots=True)
class Document:
    """One text with where it comes from (Soldaini et al. 2024, the Dolma record).

    id: unique within its corpus. source: where it was read. added, created: ISO dates or "".
    """

    id: str
    text: str
    source: str
    added: str = ""
    created: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that could not be read: it costs itself and nothing else.

    line: its number in the file, from 1, or None when the whole file is meant. size: its bytes;
    readers leave 0 for a whole file, and `read_file` fills in its size on the disk.
    """

    file: str
    line: int | None
    reason: str
    detail: str = ""
    size: int = 0

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return (
            f"{where}: {self.reason} ({self.detail})" if self.detail else f"{where}: {self.reason}"
        )


_SPACE, _PIECE = re.compile(r"\s"), 2**20
_ASCII = bytes(range(128))
_BLANK = bytes.maketrans(b"\t\n\v\f\r\x1c\x1d\x1e\x1f", b" " * 9)
"""White space of ASCII, as `str.split` sees it."""
_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")


def content_hash(text: str) -> str:
    """32 hexadecimal digits that depend on the text up to white space.

    Equal hashes are duplicates; the order of hashes decides the split.
    """
    digest, start, joint = hashlib.blake2b(digest_size=16), 0, b""
    while start < len(text):  # in pieces: a list of all words takes ten times the text's memory
        space = _SPACE.search(text, start + _PIECE)
        stop = space.start() if space else len(text)
        words = _single_spaced(text[start:stop])
        if words:
            digest.update(joint + words)
            joint = b" "
        start = stop
    return digest.hexdigest()


def _single_spaced(text: str) -> bytes:
    """`" ".join(text.split())` in UTF-8, in half the time: words are not taken apart."""
    data = text.encode("utf-8")
    if not text.isascii():
        # Taking ASCII away first leaves little to search.
        beyond = data.translate(None, _ASCII).decode("utf-8")
        for space in set(_WIDE_SPACE.findall(beyond)):
            data = data.replace(space.encode("utf-8"), b" ")
    pieces = data.translate(_BLANK).split(b"  ")
    return b" ".join(filter(None, [piece.strip(b" ") for piece in pieces]))


as_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes an encoder each time


def unstorable(document: Document) -> str | None:
    """Why a document cannot be written, or None: JSON and YAML can spell half a surrogate pair."""
    other = [document.source, document.added, document.created, document.metadata]
    try:
        document.text.encode("utf-8")
        as_json(other).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        return str(error)
    return None
