"""The metrics log: one JSON object a line, appended as training goes, rewound on resume."""

import json
from pathlib import Path
from typing import Any

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
        """All complete rows; a last line torn by a crash is left out."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def rewind(self, step: int) -> None:
        """Forget rows after `step`: a resumed run writes them again."""
        kept = [row for row in self.rows() if row["step"] <= step]
        with atomic_file(self.path) as aside:
            aside.write_text(
                "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept),
                encoding="utf-8",
            )
