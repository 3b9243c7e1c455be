"""The tree is the pipeline: imports point downwards only, as docs/architecture.md draws it.

Every import is read, those inside functions too. Packages of one rank do not know one another.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hornbook"
ORDER = """
core < read, tokenize, kernels < datasets, nn < models < corpus, batches, adapt, generate
< train, baselines < evaluate, retrieve, explain < workflows < serve < cli
"""
RANK = {
    name.strip(): rank for rank, names in enumerate(ORDER.split("<")) for name in names.split(",")
}
TOP = {"__init__", "__main__"}
"""Modules beside the packages: they start the program and may import all of it."""

CIRCLES = {"kernels"}
"""Packages whose modules still import one another in a circle. The list must shrink."""

FOREIGN = {"corpus": {"torch"}, "tokenize": {"torch"}}
"""Libraries that a package must work without."""


def imports(source: str, package: str) -> Iterator[str]:
    """The absolute names of all that a module in `package` imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            parts = parts[: len(parts) + 1 - node.level] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def wrong(own: str, imported: str) -> str | None:
    """Why a module of the package `own` may not import a name, or None."""
    first, _, rest = imported.partition(".")
    if first in FOREIGN.get(own, ()):
        return f"{own} does without {first}"
    other = rest.partition(".")[0]
    if first != "hornbook" or other == own or not other or own in TOP:
        return None
    if other not in RANK:
        return None if other == "__version__" else f"{other} has no place in the order"
    return None if RANK[other] < RANK[own] else f"{own} is not above {other}"


def test_every_package_has_a_place_in_the_order():
    found = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert found <= set(RANK), found - set(RANK)
    assert {path.stem for path in PACKAGE.glob("*.py")} <= TOP


@pytest.mark.parametrize("own", sorted(RANK))
def test_imports_point_downwards(own):
    problems = []
    for path in sorted((PACKAGE / own).rglob("*.py")):
        module = path.relative_to(PACKAGE.parent).parent
        names = imports(path.read_text(encoding="utf-8"), ".".join(module.parts))
        reasons = {f"{module}/{path.name}: {why}" for name in names if (why := wrong(own, name))}
        problems.extend(sorted(reasons))
    assert not problems, "\n".join(problems)


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import one another, directly or through others; none where imports end."""
    left = dict(arrows)
    while ends := [name for name, to in left.items() if not to & set(left)]:
        for name in ends:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("own", sorted(set(RANK) - CIRCLES))
def test_no_package_holds_a_circle(own):
    modules = {}
    for path in sorted((PACKAGE / own).rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    arrows = {}
    for name, path in modules.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        found = set(imports(path.read_text(encoding="utf-8"), package))
        arrows[name] = {n if n in modules else n.rpartition(".")[0] for n in found} - {name}
    assert not circle(arrows)


def test_this_test_sees_every_way_to_import():
    source = """
import hornbook.train.loop
from hornbook import cli
from hornbook.nn import contract
def late():
    from ..models import folder
    from .contract import Layer
    import torch.nn
"""
    assert list(imports(source, "hornbook.nn")) == [
        "hornbook.train.loop",
        "hornbook.cli",
        "hornbook.nn.contract",
        "hornbook.models.folder",
        "hornbook.nn.contract.Layer",
        "torch.nn",
    ]
    assert wrong("nn", "hornbook.models.folder") == "nn is not above models"
    assert wrong("nn", "hornbook.corpus.build") == "nn is not above corpus"
    assert wrong("corpus", "torch.nn") == "corpus does without torch"
    assert wrong("cli", "hornbook.odd.thing") == "odd has no place in the order"
    assert wrong("models", "hornbook.nn.contract.Layer") is None
    assert wrong("nn", "torch.nn") is None
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == ["a", "b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": {"elsewhere"}})
