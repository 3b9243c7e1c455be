"""The books of a stage: in = kept + Σ dropped(reason), in documents and in bytes, checked."""

from collections import Counter
from typing import Any


class Account:
    """What came in, what was kept and what was dropped for which reason.

    The two sides are to be counted at their own ends: `enter` where records are read, `keep` and
    `drop` from what was written.
    """

    def __init__(self) -> None:
        self.documents_in = self.bytes_in = 0
        self.documents_kept = self.bytes_kept = 0
        self.dropped_documents: Counter[str] = Counter()
        self.dropped_bytes: Counter[str] = Counter()

    def enter(self, size: int) -> None:
        """A record of `size` bytes came in."""
        self.documents_in += 1
        self.bytes_in += size

    def keep(self, size: int) -> None:
        """It was kept."""
        self.documents_kept += 1
        self.bytes_kept += size

    def drop(self, reason: str, size: int) -> None:
        """It was dropped."""
        self.dropped_documents[reason] += 1
        self.dropped_bytes[reason] += size

    def check(self) -> None:
        """Every record that came in is kept or dropped; anything else is our mistake."""
        found = (
            self.documents_kept + self.dropped_documents.total(),
            self.bytes_kept + self.dropped_bytes.total(),
        )
        if found != (self.documents_in, self.bytes_in):
            raise AssertionError(
                f"{self.documents_in} records of {self.bytes_in} bytes came in, "
                f"{found[0]} of {found[1]} are accounted for"
            )

    def plain(self) -> dict[str, Any]:
        """{documents, bytes} each {in, kept, dropped {reason: n}}."""
        return {
            "documents": {
                "in": self.documents_in,
                "kept": self.documents_kept,
                "dropped": dict(sorted(self.dropped_documents.items())),
            },
            "bytes": {
                "in": self.bytes_in,
                "kept": self.bytes_kept,
                "dropped": dict(sorted(self.dropped_bytes.items())),
            },
        }
