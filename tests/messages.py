"""What the package says to people, found in its source: the patterns of `chinese.json`.

`python -m tests.messages` prints those that have no Chinese yet, as JSON to fill in.
"""

import ast
import inspect
import json
from collections.abc import Iterator

import jinja2

from tests.sources import PACKAGE, ROOT, nodes, tree

TEMPLATES = ROOT / "hornbook" / "serve" / "studio" / "templates"
CLI = ROOT / "hornbook" / "cli"
PAGES = ROOT / "hornbook" / "serve" / "studio"
CATALOGUE = ROOT / "hornbook" / "core" / "chinese.json"

SPOKEN = {
    "t": 1, "say": None, "note": 1, "show": 1, "fail": 1, "unknown": 1, "doing": 1,
    "sound": 1, "doubtful": 2, "faulty": 2, "beside_the_point": 1,
}  # fmt: skip
"""Functions that speak to people, and how many of their arguments are what they say."""
PLACES = {"bar": (0, 2), "pick": (2,), "Choice": (2,), "check": (1,), "drill": (1,)}
"""The same where what is said stands at other places."""


def patterns(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, {} for every value in them."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in values)
        case ast.IfExp(body=body, orelse=other):
            yield from patterns(body)
            yield from patterns(other)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            yield from (one + two for one in patterns(left) for two in patterns(right))
        case _:
            yield "{}"


def of_templates() -> set[str]:
    """What the pages of the studio say: the first argument of each t(...)."""
    environment, found = jinja2.Environment(), set()
    for path in TEMPLATES.glob("*.jinja"):
        for call in environment.parse(path.read_text(encoding="utf-8")).find_all(jinja2.nodes.Call):
            if isinstance(call.node, jinja2.nodes.Name) and call.node.name == "t":
                assert isinstance(call.args[0], jinja2.nodes.Const), (path.name, call.lineno)
                found.add(call.args[0].value)
    return found


def every_text() -> set[str]:
    """All texts of the package, said or not."""
    found = of_templates()
    for path in PACKAGE:
        for node in nodes(path):
            if isinstance(node, ast.expr):
                found.update(patterns(node))
            elif isinstance(node, ast.FunctionDef) and path.is_relative_to(CLI):
                found.update(paragraphs(ast.get_docstring(node) or ""))
    return found


def said() -> set[str]:
    """The texts that the package is seen to say: errors, progress, notes, choices, help."""
    found = of_templates()
    for path in PACKAGE:
        for node in nodes(path):
            if isinstance(node, ast.Call):
                for argument in _arguments(node, path.is_relative_to(PAGES)):
                    found.update(patterns(argument))
        if path.is_relative_to(CLI):
            found |= _docstrings(tree(path))
    return {text for text in found if any(c.isalpha() for c in text.replace("{}", ""))}


def _arguments(call: ast.Call, of_pages: bool = False) -> list[ast.expr]:
    """What a call says. of_pages: what is refused stands on a page, and not in JSON."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    helps = [keyword.value for keyword in call.keywords if keyword.arg == "help"]
    if name in PLACES:
        return helps + [call.args[place] for place in PLACES[name] if place < len(call.args)]
    if name in _errors() or (of_pages and name == "RequestRefused"):
        return helps + call.args[:1]
    return helps + (call.args[: SPOKEN[name]] if name in SPOKEN else [])


def _errors() -> set[str]:
    from hornbook.core.errors import HornbookError

    found, waiting = {"HornbookError"}, [HornbookError]
    while waiting:
        below = waiting.pop().__subclasses__()
        found |= {kind.__name__ for kind in below}
        waiting += below
    return found


def _docstrings(tree: ast.Module) -> set[str]:
    """What help pages show of the functions that are commands: those with options."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parameters = ast.unparse(node.args)
            if "typer.Option" in parameters or "options." in parameters:
                found.update(paragraphs(ast.get_docstring(node) or ""))
    return found


def paragraphs(text: str) -> list[str]:
    """As help pages look them up: each paragraph on one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n") if part]


def missing() -> list[str]:
    """What is said and has no Chinese."""
    return sorted(said() - json.loads(CATALOGUE.read_text(encoding="utf-8")).keys())


if __name__ == "__main__":
    print(json.dumps(dict.fromkeys(missing(), ""), ensure_ascii=False, indent=2))
