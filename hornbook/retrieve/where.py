"""Which documents are searched: by source, folder, date, language and what is noted of them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions that all must hold; of several values of one condition, one.

    sources: paths of files, or patterns with * and ?. folders: files anywhere below. since, until:
    ISO dates or their beginnings ("2024", "2024-05"), both included, of the document's own date or,
    where it has none, its file's. languages: ISO 639-1. metadata: values as text.
    """

    sources: Sequence[str] = ()
    folders: Sequence[str] = ()
    since: str = ""
    until: str = ""
    languages: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(
            (self.sources, self.folders, self.since, self.until, self.languages, self.metadata)
        )

    def clause(self) -> tuple[str, tuple[Any, ...]]:
        """The condition as SQL on the tables `documents` and `files`, and its values."""
        parts: list[str] = []
        values: list[Any] = []

        def one_of(condition: str, items: Sequence[Any]) -> None:
            if items:
                parts.append(f"({' OR '.join([condition] * len(items))})")
                values.extend(items)

        one_of("files.path GLOB ?", [_pattern(source) for source in self.sources])
        one_of("files.path GLOB ?", [_below(folder) for folder in self.folders])
        one_of("documents.language = ?", list(self.languages))
        date = "coalesce(nullif(documents.created, ''), files.modified)"
        if self.since:
            one_of(f"substr({date}, 1, {len(self.since)}) >= ?", [self.since])
        if self.until:
            one_of(f"substr({date}, 1, {len(self.until)}) <= ?", [self.until])
        for name, value in self.metadata.items():
            parts.append("CAST(json_extract(documents.metadata, ?) AS TEXT) = ?")
            values += [f'$."{name}"', value]
        return " AND ".join(parts) or "1", tuple(values)


def _pattern(source: str) -> str:
    """A pattern as it is; a path as the whole one; a bare name wherever it lies."""
    if os.sep in source or "/" in source:
        return source if "*" in source or "?" in source else _exactly(os.path.abspath(source))  # noqa: PTH100
    return f"*{os.sep}{source if '*' in source or '?' in source else _exactly(source)}"


def _below(folder: str) -> str:
    return f"{_exactly(str(Path(os.path.abspath(folder))))}{os.sep}*"  # noqa: PTH100


def _exactly(text: str) -> str:
    """Without a meaning for the pattern's characters."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def where_of(
    sources: Sequence[str] | None,
    folders: Sequence[str] | None,
    dates: tuple[str, str],
    languages: Sequence[str] | None,
    metadata: Sequence[str] | None,
) -> Where:
    """As options of commands say it. Raises UsageError for what is no date or no NAME=VALUE."""
    for date in dates:
        if date and not _DATE.fullmatch(date):
            raise UsageError(f"{date!r} is no date; write it as 2024, 2024-05 or 2024-05-31.")
    pairs = [pair.partition("=") for pair in metadata or ()]
    for name, equals, value in pairs:
        if not name or not equals or '"' in name:
            raise UsageError(f"--metadata {name}{equals}{value} is not NAME=VALUE.")
    named = {name: value for name, _, value in pairs}
    return Where(sources or (), folders or (), *dates, languages or (), named)
