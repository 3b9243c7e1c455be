"""The tree is the pipeline: imports point downwards only, as docs/architecture.md draws it.

Every import is read, those inside functions too. Packages of one rank do not know one another.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import pytest

from tests.sources import PACKAGE, ROOT, tree

ORDER = """
core < read, tokenize, kernels < datasets, nn < models < corpus, batches, adapt, generate
< training, baselines < evaluate, retrieve, explain < workflows < serve < cli
"""
RANK = {
    name.strip(): rank for rank, names in enumerate(ORDER.split("<")) for name in names.split(",")
}
WORKFLOWS = """
open, report < runs, use < curate, exchange, documents < projects, measure
< compare, understand, doctor, train, quickstart < plan, claims
"""
"""The parts of `workflows`, which do not know those beside them either."""
TWO_PARTS = {"hornbook.training.parallel"}
"""Folders whose modules stand below and above the others: what many processes do, and who leads."""
TOP = {"__init__", "__main__"}
"""Modules beside the packages: they start the program and may import all of it."""

WITHOUT = {
    "torch": """
        core read tokenize kernels datasets corpus baselines cli batches.shards nn.capacity
        nn.frequencies generate -generate.beam -generate.single_token -generate.translate
        models.fields models.numpy_bert models.pixels models.place models.sizes models.turnings
        models.gguf.quantised models.gguf.decoder models.gguf.facts models.gguf.recall
        models.gguf.rotary models.gguf.scaling models.gguf.sizes
        models.gguf.mixture models.gguf.quantise
        retrieve serve training.calibrate training.choices training.fits training.measures
        training.schedule training.vocabulary
        evaluate.answers evaluate.bleu evaluate.chrf evaluate.classification evaluate.leakage
        evaluate.metrics evaluate.register evaluate.rouge evaluate.rows evaluate.task
        evaluate.templates workflows.curate workflows.exchange.catalogue workflows.exchange.pull
        workflows.open.generator workflows.open.quick_encoder workflows.report
        workflows.runs.folder workflows.runs.lineage workflows.runs.outcome workflows.runs.place
        workflows.use.summarize
    """,
    "numpy": "cli core -core.gguf -core.pages -core.stats",
}
"""Libraries, and the packages and modules, but those with a -, that are imported without them."""
LATE = {
    "torch": "core.machine core.threads",
    "numpy": "cli core",
}
"""Those of them that may import the library inside a function; no other may."""


def imports(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    """The absolute names of all that is imported in a module of `package`."""
    for node in nodes:
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
    other = rest.partition(".")[0]
    if first != "hornbook" or other == own or not other or own in TOP:
        return None
    if other not in RANK:
        return None if other == "__version__" else f"{other} has no place in the order"
    return None if RANK[other] < RANK[own] else f"{own} is not above {other}"


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: no functions, nothing for types alone."""
    typing = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for part in node.orelse if typing else ast.iter_child_nodes(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            continue
        yield part
        yield from running(part)


class Module(NamedTuple):
    """What a module imports: anywhere, and while it is imported itself."""

    all: frozenset[str]
    start: frozenset[str]


def read(name: str, tree: ast.Module, is_package: bool) -> Module:
    """A module of the dotted name `name`."""
    package = name if is_package else name.rpartition(".")[0]
    return Module(
        frozenset(imports(ast.walk(tree), package)), frozenset(imports(running(tree), package))
    )


@cache
def modules() -> dict[str, Module]:
    """All of the package, by name."""
    found = {}
    for path in PACKAGE:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        name, is_package = name.removesuffix(".__init__"), path.stem == "__init__"
        found[name] = read(name, tree(path), is_package)
    return found


def inside(own: str) -> dict[str, Module]:
    """The modules of a package."""
    return {name: module for name, module in modules().items() if name.split(".")[1:2] == [own]}


def is_listed(name: str, listed: str) -> bool:
    """Whether a list of packages and modules has one: the longest entry that fits decides."""
    fits = [each for each in listed.split() if f"{name}.".startswith(f"{each.lstrip('-')}.")]
    return bool(fits) and not max(fits, key=lambda each: len(each.lstrip("-"))).startswith("-")


def steps_to(library: str, found: dict[str, Module]) -> dict[str, str]:
    """The modules that load a library when they are imported, and by importing what."""
    steps: dict[str, str] = {}
    loaded = {name: set(map(first_of, module.start)) for name, module in found.items()}
    fresh = {name: library for name in found if library in loaded[name]}
    needed = {name: run_by(name, module, found) for name, module in found.items()}
    while fresh:
        steps |= fresh
        left = [name for name in found if name not in steps]
        fresh = {name: by for name in left for by in sorted(needed[name] & set(steps))}
    return steps


def first_of(name: str) -> str:
    """The package at the top of a dotted name."""
    return name.partition(".")[0]


def run_by(name: str, module: Module, found: dict[str, Module]) -> set[str]:
    """The modules that run when one is imported: its packages, what it asks for, and theirs."""
    named = [imported.split(".") for imported in (name, *module.start)]
    ways = {".".join(parts[: i + 1]) for parts in named for i in range(len(parts))}
    return (ways & set(found)) - {name}


def test_every_package_has_a_place_in_the_order():
    top = ROOT / "hornbook"
    found = {path.parent.name for path in PACKAGE if path.parent.parent == top}
    assert found <= set(RANK), found - set(RANK)
    assert {path.stem for path in PACKAGE if path.parent == top} <= TOP


@pytest.mark.parametrize("own", sorted(RANK))
def test_imports_point_downwards(own):
    found = {(name, wrong(own, other)) for name, one in inside(own).items() for other in one.all}
    problems = sorted(f"{name}: {why}" for name, why in found if why)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("library", WITHOUT)
def test_modules_are_imported_without_what_they_do_not_need(library):
    steps, problems = steps_to(library, modules()), []
    for name, module in modules().items():
        own = name.partition(".")[2]
        if not is_listed(own, WITHOUT[library]):
            continue
        if name in steps:
            problems.append(f"{name} imports {steps[name]}, which loads {library}")
        elif library in map(first_of, module.all) and not is_listed(own, LATE[library]):
            problems.append(f"{name} does without {library}, in its functions as well")
    assert not problems, "\n".join(problems)
    listed = f"{WITHOUT[library]} {LATE[library]}".replace("-", "").split()
    assert {f"hornbook.{each}" for each in listed} <= set(modules())


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import one another, directly or through others; none where imports end."""
    left = dict(arrows)
    while ends := [name for name, to in left.items() if not to & set(left)]:
        for name in ends:
            del left[name]
    return sorted(left)


def arrows(own: str) -> dict[str, set[str]]:
    """Which modules of a package each of its modules imports."""
    found = inside(own)
    return {
        name: ({n if n in found else n.rpartition(".")[0] for n in module.all} & set(found))
        - {name}
        for name, module in found.items()
    }


@pytest.mark.parametrize("own", sorted(RANK))
def test_no_package_holds_a_circle(own):
    assert not circle(arrows(own))


@pytest.mark.parametrize("own", sorted(RANK))
def test_folders_of_a_package_hold_no_circle(own):
    """A package can be drawn: its folders, and the modules beside them, point one way."""
    parts: dict[str, set[str]] = {}
    for name, imported in arrows(own).items():
        part = part_of(name)
        parts.setdefault(part, set()).update(map(part_of, imported))
        parts[part] -= {part, f"hornbook.{own}"}
    assert not circle(parts)


def test_workflows_are_drawn_as_they_are():
    """In docs/architecture.md, by the same order."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert " ".join(WORKFLOWS.split()) in " ".join(page.split())
    ranks = {part: rank for rank, parts in enumerate(map(words, WORKFLOWS.split("<")))
             for part in parts}  # fmt: skip
    for name, imported in arrows("workflows").items():
        for other in imported - {"hornbook.workflows"}:
            one, two = part_of(name).split(".")[-1], part_of(other).split(".")[-1]
            assert one == two or ranks[two] < ranks[one], f"{name} imports {other}"


def words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",")]


def part_of(name: str) -> str:
    """The folder or module right below its package."""
    part = ".".join(name.split(".")[:3])
    return name if part in TWO_PARTS else part


def test_this_test_sees_every_way_to_import():
    source = """
import hornbook.training.loop
from hornbook import cli
try:
    from hornbook.nn import contract
except ImportError:
    pass
if TYPE_CHECKING:
    import torch.nn
def late():
    from ..models import folder
    from .contract import Layer
    import torch.nn
"""
    module = read("hornbook.nn.some", ast.parse(source), is_package=False)
    assert module.start == {"hornbook.training.loop", "hornbook.cli", "hornbook.nn.contract"}
    assert module.all - module.start == {
        "hornbook.models.folder",
        "hornbook.nn.contract.Layer",
        "torch.nn",
    }
    assert wrong("nn", "hornbook.models.folder") == "nn is not above models"
    assert wrong("nn", "hornbook.corpus.build") == "nn is not above corpus"
    assert wrong("cli", "hornbook.odd.thing") == "odd has no place in the order"
    assert wrong("models", "hornbook.nn.contract.Layer") is None
    assert wrong("nn", "torch.nn") is None
    found = {
        "h": read("h", ast.parse(""), True),
        "h.a": read("h.a", ast.parse("def late(): import torch"), False),
        "h.b": read("h.b", ast.parse("class C:\n    import torch.nn"), False),
        "h.p": read("h.p", ast.parse("from ..b import C"), True),
        "h.p.c": read("h.p.c", ast.parse("from h import a"), False),
        "h.d": read("h.d", ast.parse("import h.p.c"), False),
    }
    assert steps_to("torch", found) == {"h.b": "torch", "h.p": "h.b", "h.p.c": "h.p", "h.d": "h.p"}
    assert is_listed("a.b", "a") and is_listed("a.b.c", "a -a.b a.b.c")
    assert not is_listed("a.b", "a -a.b a.b.c") and not is_listed("ab", "a")
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == ["a", "b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": {"elsewhere"}})
