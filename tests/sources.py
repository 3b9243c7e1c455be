"""The source of the project, for tests that look at all of it: read and parsed once a process."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = [
    p for d in ("hornbook", "tests", "benchmarks", "scripts") for p in (ROOT / d).rglob("*.py")
]
PACKAGE = sorted(path for path in FILES if path.is_relative_to(ROOT / "hornbook"))


@cache
def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Nobody may change it."""
    return ast.parse(source(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the tree."""
    return tuple(ast.walk(tree(path)))
