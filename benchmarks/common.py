"""What every benchmark needs: a text to work on, and a report with machine, commit and versions."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hornbook.core.machine import describe, measure_machine
from hornbook.read.sources import PYTHON_DOCS

_PACKAGES = (
    "hornbook",
    "torch",
    "transformers",
    "tokenizers",
    "gigatoken",
    "tokie",
    "numpy",
    "scikit-learn",
)


def default_text(*names: str) -> tuple[list[str], str]:
    """Folders of HORNBOOK_DATA, or Python's own documentation where it is not set; and a name."""
    data = os.environ.get("HORNBOOK_DATA")
    if not data:
        return [PYTHON_DOCS], PYTHON_DOCS
    return [str(Path(data) / name) for name in names], ", ".join(names)


def report(ours: Any, peers: Any, ratio: float | None, **more: Any) -> None:
    """Print the JSON object."""
    found = {
        "ours": ours,
        "peers": peers,
        "ratio": ratio,
        **more,
        "machine": describe(measure_machine("cpu")),
        "commit": _commit(),
        "versions": {"python": sys.version.split()[0], **_versions()},
    }
    print(json.dumps(found, ensure_ascii=False))


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
