"""Results on stdout: for people nothing more than they asked for, for programs one JSON object."""

import json
from typing import Any


def print_json(value: dict[str, Any], wanted: bool) -> None:
    """Print `value` as one line of JSON when --json was given; it is the last thing on stdout."""
    if wanted:
        print(json.dumps(value, ensure_ascii=False), flush=True)
