"""The metrics log: one JSON object a line, appended as training goes, rewound on resume."""

import json
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.core.files import atomic_file, disk_errors


class MetricsLog:
    """Appends rows with a `step` to `metrics.jsonl`; every row is on its way to disk at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, **values: Any) -> None:
        """Add one row. Raises HornbookError when the disk is full."""
        row = json.dumps({"step": step, **values}, ensure_ascii=False)
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(row + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """All complete rows; a last line torn by a crash is left out.

        Raises HornbookError for a file in which another line is no row.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")
        return [self._row(line, number) for number, line in enumerate(lines[:-1], 1)]

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise HornbookError(f"{self.path}, line {number} is no row of figures; delete it.")
        return row

    def rewind(self, step: int) -> None:
        """Forget rows after `step`: a resumed run writes them again."""
        kept = [row for row in self.rows() if row["step"] <= step]
        with atomic_file(self.path) as aside:
            aside.write_text(
                "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept),
                encoding="utf-8",
            )
