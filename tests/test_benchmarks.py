"""What benchmarks import is what the extra `bench` brings, with what its peers need."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = sorted((ROOT / "benchmarks").glob("*.py"))
NAMES = {
    "sklearn": "scikit-learn",
    "llama_cpp": "llama-cpp-python",
    "yaml": "pyyaml",
    "PIL": "pillow",
}
"""Distributions of modules that are not called alike, installed or not."""
NEEDED = {"datatrove": ("orjson", "spacy", "nltk")}
"""What a peer needs for what we ask of it, and does not name as a dependency of its own."""


def plain(name):
    return re.split(r"[\[<>=!~; ]", name)[0].lower().replace("_", "-")


ALLOWED = {
    plain(item) for item in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["bench"]]
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@cache
def installed():
    return packages_distributions()


def distributions(module):
    found = installed().get(module)
    return {plain(name) for name in found or [NAMES.get(module, module)]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_are_installed_by_the_extra(path):
    others = set(imported(path)) - {"hornbook", "benchmarks"} - sys.stdlib_module_names
    missing = {module for module in others if not distributions(module) & ALLOWED}
    assert not missing, f"[bench] lacks {missing}"
    for module in others & set(NEEDED):
        assert set(NEEDED[module]) <= ALLOWED


def test_every_peer_is_used():
    used = {name for path in FILES for module in imported(path) for name in distributions(module)}
    used |= {need for peer, needs in NEEDED.items() if peer in used for need in needs}
    assert {plain(item) for item in PROJECT["optional-dependencies"]["bench"]} <= used
