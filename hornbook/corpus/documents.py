"""A document (Dolma's record) and a rejection: what reading a source gives.

Knows nothing of formats or folders.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any


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


_SPACE, _PIECE = re.compile(r"\s"), 2**20


def content_hash(text: str) -> str:
    """32 hexadecimal digits that depend on the text up to white space.

    Equal hashes are duplicates; the order of hashes decides the split.
    """
    digest, start, joint = hashlib.blake2b(digest_size=16), 0, ""
    while start < len(text):  # in pieces: a list of all words takes ten times the text's memory
        space = _SPACE.search(text, start + _PIECE)
        stop = space.start() if space else len(text)
        words = " ".join(text[start:stop].split())
        if words:
            digest.update((joint + words).encode("utf-8"))
            joint = " "
        start = stop
    return digest.hexdigest()


def unstorable(document: Document) -> str | None:
    """Why a document cannot be written, or None: JSON and YAML can spell half a surrogate pair."""
    other = [document.source, document.added, document.created, document.metadata]
    try:
        document.text.encode("utf-8")
        json.dumps(other, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        return str(error)
    return None
