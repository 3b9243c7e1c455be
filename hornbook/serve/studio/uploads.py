"""Files that a browser brings: in pieces that pass the gate, to one folder, bounded.

A piece goes to the place in its file that it names, so one that is sent again changes nothing. A
file has its name from its last piece on: until then it is hidden, and no part of what was brought.
"""

import threading
from pathlib import Path

from hornbook.core.errors import UsageError
from hornbook.core.files import place_errors
from hornbook.serve.studio.jobs import checked_name

TEXTS = "texts"
_LONGEST, _DEEPEST = 200, 20
_COMING = ".coming-"
"""Begins the name of a file of which pieces are still to come."""


class Uploads:
    """What browsers bring for the runs of a work folder. most_bytes, most_files: of one batch."""

    def __init__(self, folder: Path, most_bytes: int, most_files: int) -> None:
        self._folder, self._most_bytes, self._most_files = folder, most_bytes, most_files
        self._sizes: dict[Path, dict[Path, int]] = {}
        self._one = threading.Lock()

    def folder(self, batch: str) -> Path:
        """Where the files of one batch lie. Raises UsageError for a name that is none."""
        return (self._folder / TEXTS / checked_name(batch)).absolute()

    def take(
        self, batch: str, name: str, start: int, piece: bytes, whole: int | None = None
    ) -> None:
        """Write a piece of a file. name: its path in the batch, with `/`. start: its first byte.
        whole: bytes of all of the file, None where the piece is the last one.

        Raises UsageError for a path that leads elsewhere, or more than is allowed.
        """
        folder = self.folder(batch)
        path = folder.joinpath(*_parts(name))
        if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
            raise UsageError(f"{name[:80]!r} is no path of a file in a folder.")
        with self._one:
            coming = path.with_name(f"{_COMING}{path.name}"[:_LONGEST])
            before = coming.stat().st_size if coming.is_file() else 0
            if not 0 <= start <= before:
                raise UsageError(f"{name[:80]}: a piece is missing before byte {start:,}.")
            size = max(start + len(piece), before if start else 0)
            known = self._sizes.setdefault(folder, _sizes_in(folder))
            others = {other: size for other, size in known.items() if other != path}
            self._check({**others, coming: max(size, whole or 0)})
            with place_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with coming.open("r+b" if start else "wb") as file:
                    file.seek(start)
                    file.write(piece)
                if whole is None or size >= whole:
                    coming.replace(path)
                    known.pop(coming, None)
                    known[path] = size
                else:
                    known[coming] = size

    def _check(self, sizes: dict[Path, int]) -> None:
        for found, most, what in (
            (sum(sizes.values()), self._most_bytes, "bytes"),
            (len(sizes), self._most_files, "files"),
        ):
            if found > most:
                raise UsageError(
                    f"More than {most:,} {what}: give the path of a folder on this machine instead."
                )


def _sizes_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _parts(name: str) -> list[str]:
    """The folders and the name of a file, none of which leads up or out, or is hidden."""
    parts = name.split("/")
    wrong = len(parts) > _DEEPEST or any(
        not part
        or part.startswith(".")
        or len(part.encode()) > _LONGEST
        or not part.isprintable()
        or "\\" in part
        for part in parts
    )
    if wrong:
        raise UsageError(f"{name[:80]!r} is no path of a file in a folder.")
    return parts
