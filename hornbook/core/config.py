"""Strict, frozen configs and recipes: unknown keys are errors that name the nearest valid key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pydantic

from hornbook.core.errors import UsageError, nearest
from hornbook.core.yaml_text import NotYaml, parse_yaml


class Config(pydantic.BaseModel):
    """A small frozen value object. Built from code with keywords, from files with `parse`."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Build from plain data read at `where` (a file or option, for the message).

        Raises UsageError naming the first offending key, its value and the nearest valid key.
        """
        try:
            return cls.model_validate(dict(values))
        except pydantic.ValidationError as error:
            raise UsageError(f"{where}: {_first_problem(cls, error)}") from None

    def plain(self) -> dict[str, Any]:
        """The values as JSON-ready data; `parse` takes it back."""
        return self.model_dump(mode="json")


def over(default: Config, values: Any) -> Any:
    """Plain `values` of a config, what they leave out taken from `default`; None leaves out all.

    What is no mapping is returned as it is, for `parse` to refuse.
    """
    if values is None or isinstance(values, Mapping):
        return {**default.plain(), **(values or {})}
    return values


def _first_problem(cls: type[Config], error: pydantic.ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"]) or "value"
    if problem["type"] == "extra_forbidden":
        return (
            f"unknown key {key!r}. {nearest(str(problem['loc'][-1]), _keys(cls, problem['loc']))}"
        )
    if problem["type"] == "missing":
        return f"key {key!r} is missing."
    given = problem["input"]
    if problem["type"] == "string_type" and isinstance(given, bool | int | float):
        written = str(given).lower()
        kind = "a truth value" if isinstance(given, bool) else "a number"
        return f"{key} = {written} is {kind}, not a text; write it in quotes: '{written}'."
    return f"{key} = {given!r}: {problem['msg']}."


def _keys(cls: type[Config], place: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid where an unknown one stands, as far as the configs are nested."""
    fields = cls.model_fields
    for part in place[:-1]:
        inner = fields[str(part)].annotation if str(part) in fields else None
        fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, Config) else {}
    return list(fields)


def read_recipe(path: Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a YAML recipe and apply `key=value` overrides (dotted keys reach inside).

    Raises UsageError for a missing file, broken YAML, or an override without `=`.
    """
    recipe: dict[str, Any] = _read_yaml(path) if path else {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {override!r} is not key=value.")
        target = recipe
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise UsageError(f"--set {override!r}: {parent!r} holds a value, not keys.")
        try:
            target[last] = parse_yaml(value)
        except NotYaml as error:
            raise UsageError(
                f"--set {override!r}: {value!r} is not a YAML value: {error}."
            ) from None
    return recipe


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"Cannot read the recipe {path}: {error.strerror}.") from None
    except (NotYaml, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid YAML: {error}.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds a {type(loaded).__name__}, not keys and values.")
    return loaded
