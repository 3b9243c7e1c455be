"""Which runs were trained on which corpus, so that a corpus can say who learned from it.

A line for each run, in Hornbook's own folder.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hornbook.core.home import home
from hornbook.core.lines import lines_of

_FILE = "lineage.jsonl"


def record(run: Path, corpus: str, init: Path | None) -> None:
    """Note that `run` trains on the corpus of a fingerprint, going on from a model or from none.

    A folder that cannot be written to loses the note, and no run.
    """
    row = {
        "run": str(run.absolute()),
        "corpus": corpus,
        "init": str(init.absolute()) if init else None,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        home().mkdir(parents=True, exist_ok=True)
        with (home() / _FILE).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError:
        pass


def trained_on(corpora: Sequence[str]) -> list[str]:
    """Runs that were trained on a corpus of these fingerprints, and those that went on from them,
    in the order in which they began.
    """
    found: dict[str, None] = {}
    for row in _rows():
        from_one = row["init"] is not None and any(
            Path(row["init"]).is_relative_to(run) for run in found
        )
        if row["corpus"] in corpora or from_one:
            found[row["run"]] = None
    return list(found)


def _rows() -> Iterator[dict[str, Any]]:
    path = home() / _FILE
    if path.is_file():
        for line in lines_of(path.read_text(encoding="utf-8")):
            yield json.loads(line)
