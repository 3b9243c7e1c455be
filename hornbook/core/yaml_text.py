"""YAML text as plain data: one safe reader for recipes, tasks, overrides and front matter.

Scalars are those of YAML 1.2: yes, no, on, off, dates, 010 and 1:30 are texts, as people mean them.
Keys are texts as they are written. Aliases, depth and length are limited.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

LONGEST = 2**20
"""Characters of a text that people write by hand."""
DEEPEST, MOST_VALUES = 100, 100_000
"""Values inside values; and values in all, each alias counted as all that it stands for."""
_TOO_DEEP = f"values lie more than {DEEPEST} deep inside one another"
_MOST_DIGITS = 4300


class NotYaml(ValueError):
    """The message says what is wrong and, where it is known, on which line."""


def parse_yaml(text: str) -> Any:
    """The value of the one document of a text, None for an empty one. Raises NotYaml."""
    if len(text) > LONGEST:
        raise NotYaml(f"{len(text):,} characters; the most is {LONGEST:,}")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, 1)
        return loader.construct_document(node)
    except RecursionError:
        raise NotYaml(_TOO_DEEP) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise NotYaml(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise NotYaml(" ".join(str(error).split())) from None
    except NotYaml:
        raise
    except (ValueError, TypeError) as error:  # a tag on a value that is none of its kind
        raise NotYaml(str(error)) from None


def write_yaml(value: Any) -> str:
    """Plain data as YAML, in its order, that `parse_yaml` and readers of YAML 1.1 take back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _count(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node stands for with its aliases written out. Raises NotYaml."""
    if known.get(id(node)) == 0:
        raise NotYaml(f"line {node.start_mark.line + 1}: a value that holds itself")
    if depth > DEEPEST:
        raise NotYaml(_TOO_DEEP)
    if id(node) not in known:
        known[id(node)] = 0
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_count(part, known, depth + 1) for part in inner)
    if known[id(node)] > MOST_VALUES:
        raise NotYaml(f"its aliases stand for more than {MOST_VALUES:,} values")
    return known[id(node)]


class _Loader(yaml.SafeLoader):
    """Safe, with YAML 1.2's scalars, 1_000 besides, and texts as keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's way to have none)

    def fetch_flow_collection_start(self, token_class: type[yaml.Token]) -> None:
        """Refuses what would take the square of its depth to read."""
        if self.flow_level > DEEPEST:
            raise NotYaml(_TOO_DEEP)
        super().fetch_flow_collection_start(token_class)

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(
                None, None, "expected keys and values", node.start_mark
            )
        given = {id(key) for key, _ in node.value}
        self.flatten_mapping(node)
        found: dict[Hashable, Any] = {}
        own: set[str] = set()
        for key, value in node.value:
            name = self._name(key)
            if id(key) in given and name in own:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} is there twice", key.start_mark
                )
            if id(key) in given:
                own.add(name)
            found[name] = self.construct_object(value, deep=True)
        return found

    def _name(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a text", key.start_mark
            )
        return str(key.value)


class _Dumper(yaml.SafeDumper):
    """Quotes what is a number in 1.1 or 1.2; line breaks other than \\n are written as escapes."""


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.search(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
_Dumper.add_representer(str, _text)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value
    if len(text) > _MOST_DIGITS:
        raise yaml.constructor.ConstructorError(
            None, None, f"a number of more than {_MOST_DIGITS:,} digits", node.start_mark
        )
    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


def _broken(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _map(loader: _Loader, node: yaml.Node) -> dict[Hashable, Any]:
    return loader.construct_mapping(node)


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9](?:_?[0-9])*)|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
)
for _kind, _pattern, _first in _SCALARS:
    _tag = f"tag:yaml.org,2002:{_kind}"
    _starts = [*_first.replace("\0", ""), *([""] if "\0" in _first else [])]
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), _starts)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _broken)
_Loader.add_constructor("tag:yaml.org,2002:map", _map)
