"""A document (Dolma's record) and a rejection: what reading a source gives.

Knows nothing of formats or folders.
"""

import hashlib
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

    line: its number in the file, from 1, or None when the whole file is meant. size: its bytes.
    """

    file: str
    line: int | None
    reason: str
    detail: str = ""
    size: int = 0


def content_hash(text: str) -> str:
    """32 hexadecimal digits that depend on the text up to white space.

    Equal hashes are duplicates; the order of hashes decides the split.
    """
    squeezed = " ".join(text.split())
    return hashlib.blake2b(squeezed.encode("utf-8"), digest_size=16).hexdigest()
