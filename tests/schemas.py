"""What commands print with --json, held against docs/schemas.

`tests.in_process` asks this of every object that a test sees; nothing is run for it alone.
"""

import functools
import json
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"
SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")
}


@functools.cache
def validator(name: str) -> Draft202012Validator:
    found = {f"{stem}.json": Resource.from_contents(one) for stem, one in SCHEMAS.items()}
    return Draft202012Validator(SCHEMAS[name], registry=Registry().with_resources(found.items()))


def check(name: str, value: dict[str, Any]) -> None:
    """Hold an object against the schema of that name."""
    plain = json.loads(json.dumps(value), parse_constant=_no_number)
    error = best_match(validator(name).iter_errors(plain))
    assert error is None, f"{name} {error.json_path}: {error.message}"


def check_printed(arguments: list[str], code: int, out: str) -> None:
    """Hold the last line on stdout against the schema of the command, or of a failure."""
    *_, last = out.strip().split("\n")
    words = [word for word in arguments[:2] if word.isalpha()]
    name = next((n for n in ("_".join(words), *words[:1]) if n in SCHEMAS), None)
    value = json.loads(last)
    failed = code != 0 and set(value) == {"error", "exit_code"}
    assert failed or name, f"{words} has no schema"
    check("error" if failed else "dry_run" if "--dry-run" in arguments else str(name), value)


def _no_number(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")
