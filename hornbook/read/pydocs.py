"""The default text: the documentation that comes with Python itself.

The language's topics and the docstrings of the standard library, read as text: no module is
imported. A docstring is a document: modules are few and of very different sizes, so that two of
them would be most of what is held out.
"""

import ast
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from hornbook.read.documents import Document

_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "turtledemo", "__pycache__"}

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)


def fingerprint() -> str:
    """What decides the text: the version of Python."""
    return f"python-docs {platform.python_version()}"


def read_pydocs() -> Iterator[Document]:
    """A document for each topic, and for each docstring under its qualified name."""
    from pydoc_data import topics

    for name, text in sorted(topics.topics.items()):
        yield _document(f"topic {name}", name, text)
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if not _LEFT_OUT.intersection(parts):
            module = ".".join(parts).removesuffix(".__init__")
            for number, (title, text) in enumerate(_docstrings(path, module)):
                yield _document(f"{module}:{number}", title, text)


def _document(name: str, title: str, text: str) -> Document:
    return Document(f"python-docs:{name}", text, "python-docs", metadata={"title": title})


def _docstrings(path: Path, module: str) -> Iterator[tuple[str, str]]:
    """Each qualified name with its docstring under it, in the order of the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own odd escapes are not the user's business
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return
    yield from _named(tree, module)


def _named(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
        yield name, f"{name}\n\n{text.strip()}"
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _named(child, f"{name}.{child.name}")
        elif isinstance(child, ast.If | ast.Try) and not isinstance(node, _FUNCTIONS):
            yield from _named(child, name)  # defined only on some systems
