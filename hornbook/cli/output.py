"""Results on stdout: for people nothing more than they asked for, for programs one JSON object.

What else there is to say goes to stderr.
"""

import json
import sys
from typing import Any


def print_json(value: dict[str, Any], wanted: bool) -> None:
    """Print `value` as one line of JSON when --json was given; it is the last thing on stdout."""
    if wanted:
        # Escapes where the stream cannot write all of Unicode (a Windows pipe, say).
        unicode = sys.stdout is None or sys.stdout.encoding.lower().startswith("utf")
        print(json.dumps(value, ensure_ascii=not unicode), flush=True)


def note(line: str) -> None:
    """Something worth knowing beside the result."""
    print(line, file=sys.stderr, flush=True)
