"""Limits that keep the house habitable and safe, over every file of ours."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.sources import FILES, PACKAGE, ROOT, nodes, source, tree

PARAMETERS = 8
"""Of a function, without self; more mean that a value lacks a name. A command has its options."""

UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.save", "torch.load", "pd.read_pickle"}
REGISTRY = re.compile(
    r"https?://[\w.-]*(pypi\.org|pythonhosted\.org|huggingface\.co|hf\.co|hf-mirror\.com|"
    r"modelscope\.cn|tuna\.tsinghua\.edu\.cn|download\.pytorch\.org)"
)


def every(files: list[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """One test over all files, which names each that fails: a test a file costs more than it is."""

    def over_all(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            problems = []
            for path in files:
                try:
                    check(path)
                except AssertionError as error:
                    problems.append(f"{path.relative_to(ROOT)}: {error}")
            assert not problems, "\n".join(problems)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return over_all


def unsafe(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """What in a module can run code that came with data."""
    for node in nodes:
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            modules = []
        yield from (m for m in modules if m.split(".")[0] in UNPICKLERS)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                yield name
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg in ("allow_pickle", "trust_remote_code", "shell") and not (
                    isinstance(value, ast.Constant) and value.value is False
                ):
                    yield f"{name}({keyword.arg}={ast.unparse(value)})"


def crowded(nodes: Iterable[ast.AST]) -> set[str]:
    """Functions with more parameters than a reader can keep apart."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if sum(argument.arg not in ("self", "cls") for argument in given) > PARAMETERS:
                found.add(node.name)
    return found


@every([path for path in FILES if not path.is_relative_to(ROOT / "hornbook" / "cli")])
def test_a_function_has_few_parameters(path):
    found = crowded(nodes(path))
    assert not found, "give the values that belong together a name"


def test_a_name_belongs_to_one_class():
    """A name that two classes have names neither."""
    places: dict[str, set[str]] = {}
    for path in PACKAGE:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, set()).add(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not {name: sorted(found) for name, found in places.items() if len(found) > 1}


@every(PACKAGE)
def test_a_module_says_what_it_is(path):
    assert ast.get_docstring(tree(path))


@every(PACKAGE)
def test_lines_end_where_lines_end(path):
    """`splitlines` cuts texts at U+2028, U+0085 and form feeds: `core.lines` has what is right.

    Of bytes it cuts at line ends only; such a line says so by a comment that begins with "bytes".
    """
    for number, line in enumerate(source(path).split("\n"), 1):
        code, _, comment = line.partition("#")
        if re.search(r"\.(splitlines|readlines)\(", code):
            assert comment.strip().startswith("bytes"), f"line {number}: {line.strip()}"


@every(PACKAGE)
def test_data_never_runs_and_nothing_is_fetched_unasked(path):
    assert not list(unsafe(nodes(path)))
    assert not REGISTRY.search(source(path))


STARTERS = {"subprocess", "pty", "os.exec", "os.spawn", "os.system", "os.popen", "os.posix_spawn"}


@every([path for path in PACKAGE if path.name != "isolation.py"])
def test_processes_are_started_in_one_place(path):
    """In `core.isolation`, where what lies in the current folder is kept from them."""
    found = [name for name in STARTERS if re.search(rf"\b{re.escape(name)}", source(path))]
    assert not found and "get_context(" not in source(path)


def test_these_limits_see_what_they_forbid():
    source = """
import pickle, os
from joblib import load
np.load(f, allow_pickle=True)
np.load(f, allow_pickle=False)
torch.load(f)
model.eval()
eval("1")
run("ls", shell=yes)
"""
    assert sorted(unsafe(ast.walk(ast.parse(source)))) == [
        "eval",
        "joblib",
        "np.load(allow_pickle=True)",
        "pickle",
        "run(shell=yes)",
        "torch.load",
    ]
    assert REGISTRY.search("https://files.pythonhosted.org/packages")
    many = ", ".join("abcdefghi")
    crowd = f"def f(self, {many}): ...\nasync def g(a, *, {many[3:]}): ...\ndef h({many}): ..."
    assert crowded(ast.walk(ast.parse(crowd))) == {"f", "g", "h"}
    small = f"def f(cls, {many[3:]}, *rest, **more): ..."
    assert not crowded(ast.walk(ast.parse(small)))
