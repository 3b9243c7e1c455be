"""No regular expression of ours takes more than linear time, whatever the text is.

Each is attacked with strings that are made from its own repeats: what begins like a match, goes on
for long and then fails, once and at many places. What is searched from each place by a repeat that
may be long takes a hundred times as long as what is linear, so that a busy machine decides nothing.
"""

import ast
import importlib
import re
import time
from collections.abc import Iterator
from re import _compiler, _parser  # type: ignore[attr-defined]

import pytest

from tests.sources import PACKAGE, ROOT, nodes, source, tree

SOURCES = {path: source(path) for path in PACKAGE}
LENGTH = 6_000
"""Characters of an attack: a quadratic search takes 18 million steps."""
SECONDS = 0.03
METHODS = ("match", "fullmatch", "search", "sub", "subn", "finditer", "findall", "split")
ALPHABET = "a1A .-_\t\n@:/<>\"'=?#(),*~+%{}[]|\\;!&$^`é中\u00a0\u2028\x00"
ENDS = ("", "\x00", "\n", "!", " ", "a", "1")
LONG = 50
"""Repeats of fewer are no danger."""


def patterns() -> Iterator[tuple[str, str]]:
    """Module and name of each pattern of a module, alone or in a dictionary or tuple."""
    for path, text in SOURCES.items():
        if "re.compile" not in text:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        for node in tree(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and "re.compile" in ast.unparse(node):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    yield from (
                        (module, name.id) for name in ast.walk(target) if isinstance(name, ast.Name)
                    )


def compiled(value: object) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from (p for inner in value.values() for p in compiled(inner))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (p for inner in value for p in compiled(inner))


def example(nodes, state) -> str:
    """A short string that such a sequence matches, assertions aside."""
    found = ""
    for kind, value in nodes:
        name = str(kind)
        if name == "LITERAL":
            found += chr(value)
        elif name in ("IN", "ANY", "NOT_LITERAL"):
            found += pumps([(kind, value)], state)[0]
        elif "REPEAT" in name:
            found += example(value[2], state) * value[0]
        elif name == "SUBPATTERN":
            found += example(value[3], state)
        elif name == "ATOMIC_GROUP":
            found += example(value, state)
        elif name == "BRANCH":
            found += example(value[1][0], state)
        elif name == "ASSERT" and value[0] < 0:
            found += example(value[1], state)
    return found


def pumps(body, state) -> list[str]:
    """Strings that the body of a repeat matches."""
    found = _compiler.compile(_parser.SubPattern(state, list(body)), state.flags & ~re.DEBUG)
    own = [char for char in ALPHABET if found.fullmatch(char)]
    kind, value = body[0]
    if not own and len(body) == 1 and str(kind) == "IN":
        first = value[0][1]
        own = [chr(first if isinstance(first, int) else first[0])]
    return own or [example(body, state) or "a"]


def repeats(nodes, before: str = "") -> Iterator[tuple[str, list[str]]]:
    """What comes before each long repeat, and what it repeats."""
    for kind, value in nodes:
        name = str(kind)
        if "REPEAT" in name:
            if value[1] >= LONG:
                yield before, pumps(value[2], nodes.state)
            yield from repeats(value[2], before)
        elif name == "SUBPATTERN":
            yield from repeats(value[3], before)
        elif name == "ATOMIC_GROUP":
            yield from repeats(value, before)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from repeats(branch, before)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from repeats(value[1], before)
        before += example([(kind, value)], nodes.state)


def attacks(pattern: re.Pattern) -> Iterator[str]:
    text = pattern.pattern
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    tree = _parser.parse(text, pattern.flags)
    for before, bodies in repeats(tree):
        for body in bodies:
            count = LENGTH // len(body)
            yield from (before + body * count + end for end in ENDS)
            yield (before + body) * (LENGTH // len(before + body))
            yield (before + body * 20) * (LENGTH // len(before + body * 20))
        mixed = "".join(bodies[:8])
        yield before + mixed * (LENGTH // len(mixed)) + "\x00"


def seconds(pattern: re.Pattern, text: str, method: str) -> float:
    data = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
    work = {
        "finditer": lambda: list(pattern.finditer(data)),
        "sub": lambda: pattern.sub(data[:0], data),
        "subn": lambda: pattern.sub(data[:0], data),
    }.get(method, lambda: getattr(pattern, method)(data))
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
        if best < SECONDS:
            break
    return best


def worst(pattern: re.Pattern, methods: set[str]) -> tuple[float, str, str]:
    found = (0.0, "", "")
    for text in dict.fromkeys(attacks(pattern)):
        for method in sorted(methods):
            found = max(found, (seconds(pattern, text, method), method, text[:60]))
            if found[0] > SECONDS:
                return found
    return found


def uses(module: str, name: str) -> set[str]:
    """How a pattern is used anywhere; in every way where that cannot be seen."""
    found = set()
    for path, text in SOURCES.items():
        if name in text and (module.endswith(path.stem) or f"{module} import" in text):
            found |= {m for m in METHODS if re.search(rf"\b{name}\.{m}\b", text)}
    return found or {"search", "sub"}


@pytest.mark.parametrize(("module", "name"), list(patterns()))
def test_a_pattern_is_linear(module, name):
    for pattern in compiled(getattr(importlib.import_module(module), name)):
        took, method, text = worst(pattern, uses(module, name))
        assert took < SECONDS, f"{module}.{name}.{method} takes {took:.2f} s on {text!r}..."


def inline() -> Iterator[tuple[str, str, str]]:
    """Module, method and pattern of each call such as re.split(r"\\s", text)."""
    calls = re.compile(rf"\bre\.({'|'.join(METHODS)})\(")
    for path, text in SOURCES.items():
        for node in nodes(path) if calls.search(text) else ():
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                owner, _, method = ast.unparse(node.func).rpartition(".")
                if owner == "re" and method in METHODS:
                    yield path.stem, method, node.args[0].value


@pytest.mark.parametrize(("module", "method", "text"), list(inline()))
def test_a_pattern_of_a_call_is_linear(module, method, text):
    assert worst(re.compile(text), {method})[0] < SECONDS


@pytest.mark.parametrize("bad", [r"\S*@", r"x\s*y?\s*z", r"(?:://|@)\S*\Z", r"<!--.*?-->"])
def test_the_attack_finds_what_is_not_linear(bad):
    assert worst(re.compile(bad), {"search"})[0] > SECONDS
