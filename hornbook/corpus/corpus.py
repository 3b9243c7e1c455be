"""A built corpus, as the rest of the house reads it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.corpus.document_files import read_documents, read_tags
from hornbook.corpus.split import Side, Split
from hornbook.read.documents import Document

MAKER = "corpus build"
"""What the markers of a corpus and of its stages name."""


class Corpus:
    """A built corpus. Opened with `open`, made by `build`; see `subset` for a part of one."""

    def __init__(self, folder: Path, fingerprint: str | None = None) -> None:
        self.folder = folder
        self.fingerprint = fingerprint or stage_fingerprint(folder)
        self.built = self.fingerprint  # of the corpus in the folder, where this is a part of it
        self.facts: dict[str, Any] = read_json(folder / "card.json")
        self.split = Split.parse(read_json(folder / "split.json"), str(folder / "split.json"))

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Raises HornbookError when the folder is not a finished corpus."""
        if stage_fingerprint(folder) is None or not (folder / "split.json").is_file():
            raise HornbookError(f"{folder} is not a corpus made by `hornbook corpus build`.")
        return cls(folder)

    def documents(self, split: Side | None = None) -> Iterator[Document]:
        """The documents of one side, or of both, each once; in stored order, streamed.

        Where documents had to be cut to be split fairly, their sections.
        """
        for document, side, _ in self._parts():
            if split in (None, side):
                yield document

    def mixture(self) -> Iterator[Document]:
        """What is trained on in one pass: documents of the training side, each as often as the
        recipe's weights ask for. All once first, then those that come again.
        """
        for turn in range(self.facts["one_pass"]["most_copies"]):
            for document, side, copies in self._parts():
                if side == "train" and copies > turn:
                    yield document

    def texts(self, split: Side | None = None) -> Iterator[str]:
        """Their texts."""
        return (document.text for document in self.documents(split))

    def require(self, *sides: Side) -> None:
        """Raises HornbookError when one of the sides is empty, as it may be after `forget`."""
        for side in sides:
            name = "to train on" if side == "train" else "to measure on"
            if not self.facts["split"][side]["bytes"]:
                raise HornbookError(
                    f"{self.folder} has no text left {name}: it was forgotten. Build the corpus "
                    "again from its sources, with the same --out: it is split anew, and what was "
                    "forgotten stays out."
                )

    @property
    def mixture_bytes(self) -> int:
        """UTF-8 bytes of what is trained on in one pass."""
        return int(self.facts["one_pass"]["bytes"])

    def bytes(self, split: Side) -> int:
        """UTF-8 bytes of one side's text."""
        return int(self.facts["split"][split]["bytes"])

    def count(self, split: Side) -> int:
        """Documents of one side."""
        return int(self.facts["split"][split]["documents"])

    def _parts(self) -> Iterator[tuple[Document, Side, int]]:
        """Every document or section, its side, and how often it is seen."""
        tags = read_tags(self.folder)
        for document, tag in zip(read_documents(self.folder), tags, strict=True):
            for part, side in self.split.parts(document, tag.split):
                yield part, side, tag.copies
