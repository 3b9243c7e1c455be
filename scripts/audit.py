"""Looks up the versions of requirements.lock in the public list of known faults: `make audit`.

`pip-audit` calls what it could not look up "skipped", and is content. Here nothing that was not
looked up counts as sound.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent


class Audit(NamedTuple):
    """versions: how many there are. unknown: names of those that could not be looked up. faults:
    a line each. said: what `pip-audit` said last, where it gave no answer."""

    versions: int
    unknown: list[str]
    faults: list[str]
    said: str = ""

    @property
    def out_of_reach(self) -> bool:
        """Whether nothing at all was looked up."""
        return len(self.unknown) == self.versions

    @property
    def line(self) -> str:
        """What came of it."""
        if self.out_of_reach:
            why = f" ({self.said})" if self.said else ""
            return f"The list of known faults is out of reach: no version was looked up{why}."
        looked_up = self.versions - len(self.unknown)
        found = f"{looked_up} of {self.versions} versions looked up"
        if self.unknown:
            found += f", not {', '.join(self.unknown)}"
        return f"{found}; {len(self.faults) or 'no'} known faults."


def audit() -> Audit:
    """What is known of the locked versions. Asks the network."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--progress-spinner", "off"]
    command += ["--requirement", "requirements.lock", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        return Audit(0, [], [], last[:200])
    return read(found)


def read(found: list[dict[str, Any]]) -> Audit:
    """Of the answer of `pip-audit` about each library."""
    unknown = [one["name"] for one in found if "skip_reason" in one]
    faults = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version'}"
        for one in found
        for fault in one.get("vulns", ())
    ]
    return Audit(len(found), unknown, faults)


def main() -> None:
    found = audit()
    print(*found.faults, found.line, sep="\n")
    sys.exit(bool(found.unknown or found.faults or found.out_of_reach))


if __name__ == "__main__":
    main()
