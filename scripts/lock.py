"""Writes requirements.lock: every library of `hornbook[all]` with the hashes of its files.

`make lock`, after pyproject.toml or constraints.txt have changed. PyTorch and what only it needs
are left out: each kind of machine takes another build of it, from another place.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """\
# Made by `make lock` from pyproject.toml and constraints.txt. Every file that may be installed has
# its hash here; docs/releases.md says how to install from it. PyTorch is apart.
"""
_APART = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)==")


def locked() -> str:
    """The text of the file, for every system and Python from 3.11 on.

    Raises CalledProcessError where no versions fit together.
    """
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--extra", "all"),
        *("--constraints", "constraints.txt", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-annotate", "--no-header", "--quiet"),
    ]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    entries = re.split(r"(?m)^(?=\S)", made.stdout)
    return HEAD + "".join(entry for entry in entries if not _APART.match(entry))


if __name__ == "__main__":
    (ROOT / "requirements.lock").write_text(locked(), encoding="utf-8")
