"""JSON: an answer is one value of JSON, nothing around it, that a schema describes.

`jsonschema` (MIT) says whether it does. Two things are decided here, as schemas may come from
strangers: patterns are matched by RE2, in linear time, and nothing is fetched from elsewhere.
"""

import functools
import importlib
import json
from collections.abc import Iterator
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.json_text import NotJson, half_character, parse_record
from hornbook.core.lines import first_line
from hornbook.evaluate.rewards.contract import Given, Reward
from hornbook.read.formats.lines import Fault

_COLUMNS = ("schema", "json_schema")
_REFERENCES = ("$ref", "$dynamicRef")


def goal(given: Given) -> str | Fault:
    """The schema of the row, or of all rows, as text."""
    cell = given.cell(*_COLUMNS)
    schema = given.schema if cell is None else cell
    if schema is None:
        return Fault("no schema", f"none of {', '.join(_COLUMNS)} holds one")
    return checked(schema)


def checked(schema: Any) -> str | Fault:
    """A schema, an object or its text, as text; or why answers cannot be held against it."""
    try:
        value = parse_record(schema) if isinstance(schema, str) else schema
    except NotJson as error:
        return Fault("no schema", f"it is not JSON: {error}")
    if not isinstance(value, dict):
        return Fault("no schema", f"a JSON schema is an object, not {json.dumps(value)[:80]}")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if wrong := _wrong(value, text):
        return Fault("no schema", wrong)
    return text


def score(answer: str, schema: str) -> float:
    """1 for a value that the schema describes, else 0; so for one with half a character, and for a
    number that is too large to be divided."""
    try:
        value = parse_record(answer.strip())
        return float(half_character(value) is None and _validator(schema).is_valid(value))
    except (NotJson, RecursionError, OverflowError):
        return 0.0


def _wrong(schema: dict[str, Any], text: str) -> str:
    """What keeps answers from being held against a schema, or nothing."""
    library, pattern = _library(), _pattern()
    if not isinstance(schema.get("$schema", ""), str):
        return f"at $.$schema: {json.dumps(schema['$schema'])[:80]} is no text"
    for name, value in _keywords(schema):
        if name == "patternProperties":
            return "patternProperties is not taken; name the properties"
        if name in _REFERENCES and isinstance(value, str) and value[:1] != "#":
            return f"{name} {json.dumps(value)[:80]} leads out of the schema"
        if name == "pattern" and isinstance(value, str):
            try:
                pattern("", value)
            except ValueError as error:
                return f"pattern {json.dumps(value)[:80]}: {first_line(str(error))[:120]}"
    try:
        _kind(schema).check_schema(schema, _formats())
        for name, value in _keywords(schema):
            if name in _REFERENCES and isinstance(value, str):
                _resolver(schema).lookup(value)
        for value in ({}, [], "", 0, None):
            _validator(text).is_valid(value)
    except library.exceptions.SchemaError as error:
        return f"at {error.json_path}: {error.message[:160]}"
    except RecursionError:
        return "it refers to itself without end"
    except ValueError as error:  # an address that is none
        return first_line(str(error))[:120]
    except importlib.import_module("referencing").exceptions.Unresolvable as error:
        return f"{error.ref[:80]} leads nowhere"
    return ""


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """All names in a schema with their values; what is an example only is not told from the
    rest."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
        waiting += list(one.values()) if isinstance(one, dict) else one
        waiting = [inner for inner in waiting if isinstance(inner, dict | list)]


@functools.lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    """Of a schema's text."""
    value = json.loads(schema)
    own = _library().validators.extend(_kind(value), {"pattern": _matched})
    return own(value, registry=importlib.import_module("referencing").Registry())


def _kind(schema: dict[str, Any]) -> Any:
    """What validates by the draft that a schema names, or else the newest."""
    library = _library()
    return library.validators.validator_for(schema, library.Draft202012Validator)


def _formats() -> Any:
    """The forms of texts in a schema that are looked at. Patterns are RE2's, not Python's."""
    checker = _library().FormatChecker
    return checker(checker.checkers.keys() - {"regex"})


def _resolver(schema: dict[str, Any]) -> Any:
    """What finds the parts of a schema that it refers to."""
    library = importlib.import_module("referencing")
    draft = library.jsonschema.DRAFT202012
    return library.Registry().resolver_with_root(draft.create_resource(schema))


def _matched(_: Any, pattern: str, value: Any, __: Any) -> Iterator[Any]:
    """The keyword `pattern`, as `jsonschema` wants it: what is wrong with a value."""
    if isinstance(value, str) and not _pattern()(value, pattern):
        yield _library().exceptions.ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern() -> Any:
    """Whether a text holds what a pattern matches, by RE2; raises ValueError for none of its."""
    compute = importlib.import_module("pyarrow.compute")
    return lambda text, pattern: compute.match_substring_regex(text, pattern).as_py()


def _library() -> Any:
    try:
        return importlib.import_module("jsonschema")
    except ModuleNotFoundError:
        raise UsageError(
            "--reward json needs jsonschema: pip install 'hornbook[constrain]'."
        ) from None


REWARD = Reward(goal, score, tokens=96)
