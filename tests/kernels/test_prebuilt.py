"""Kernels that came with the package: which are taken, when, and that no compiler is asked then."""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hornbook import kernels as native
from hornbook.core.machine import cpu_flags
from hornbook.kernels import builder, compiler, openmp, prebuilt, recipe, store
from hornbook.workflows.exchange.export import export
from tests.tiny import QUIET, decoder_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def library():
    """The bytes of a library that this processor runs."""
    path = native.build()
    if path is None:
        pytest.skip(f"no kernels can be built: {native.missing()}")
    return path.read_bytes()


@pytest.fixture
def came_along(library, tmp_path, monkeypatch):
    """A folder with that library for every level of this processor; lists what would be built."""
    begun = []
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(builder, "start_aside", lambda *command: begun.append(command))
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    prebuilt.FOLDER.mkdir()
    names = [f"{level.name}.so" for level in recipe.fitting(cpu_flags())]
    for name in names:
        (prebuilt.FOLDER / name).write_bytes(library)
    write_book({name: hashlib.sha256(library).hexdigest() for name in names})
    native._found.cache_clear()
    yield begun
    native._found.cache_clear()


def write_book(hashes, sources=None):
    book = {"sources": sources or recipe.sources(), "sha256": hashes}
    (prebuilt.FOLDER / prebuilt.BOOK).write_text(json.dumps(book))


def test_the_best_is_taken_and_nothing_is_built(came_along, monkeypatch):
    monkeypatch.setattr(
        compiler, "program", lambda *names: pytest.fail("a compiler was looked for")
    )
    assert native.missing() is None
    assert native.build() == prebuilt.FOLDER / f"{recipe.fitting(cpu_flags())[0].name}.so"
    assert not came_along and not Path(os.environ["HORNBOOK_HOME"]).exists()


def test_what_is_damaged_or_missing_is_passed_over(came_along):
    names = [path.name for path in prebuilt.paths()]
    for at, name in enumerate(names):
        assert native.build() == prebuilt.FOLDER / name
        whole = bytearray((prebuilt.FOLDER / name).read_bytes())
        (prebuilt.FOLDER / name).unlink()  # one that is loaded must not be written to
        if at % 2 == 0:
            whole[len(whole) // 2] ^= 1
            (prebuilt.FOLDER / name).write_bytes(whole)
    native._found.cache_clear()
    assert native.library() is None
    assert len(came_along) == 1 or "compiler" in native.missing()


def test_what_no_loader_takes_is_passed_over(came_along):
    name = prebuilt.paths()[0].name
    (prebuilt.FOLDER / name).unlink()
    (prebuilt.FOLDER / name).write_bytes(b"no library")
    write_book({name: hashlib.sha256(b"no library").hexdigest()})
    assert native.library() is None


def test_those_of_other_sources_are_not_taken(came_along):
    hashes = {path.name: "" for path in prebuilt.paths()}
    write_book(hashes, sources="0" * 64)
    assert prebuilt.paths() == [] and native.library() is None


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "avx2 fma f16c avx512f avx512bw avx512vl avx512dq", "avx512 avx2"),
        ("AMD64", "avx2 fma f16c avx_vnni", "avxvnni avx2"),
        ("x86_64", "avx2 f16c", ""),
        ("arm64", "asimd asimddp i8mm", "i8mm dotprod neon"),
        ("aarch64", "asimd asimddp", "dotprod neon"),
        ("aarch64", "asimd i8mm", "neon"),
        ("riscv64", "avx2 fma f16c asimd", ""),
    ],
)
def test_a_processor_gets_what_it_runs_the_fastest_first(machine, flags, expected, monkeypatch):
    monkeypatch.setattr(recipe.platform, "machine", lambda: machine)
    found = [level.name.split("-")[1] for level in recipe.fitting(flags.split())]
    assert found == expected.split()


def test_a_runtime_that_lacks_what_is_called_is_none(monkeypatch):
    monkeypatch.setattr(openmp, "_runtime", lambda: "libm.so.6")
    assert openmp.entry() is None
    monkeypatch.setattr(openmp, "_runtime", lambda: "/nowhere/libgomp.so")
    assert openmp.entry() is None


WITHOUT = """
import sys, hornbook
from hornbook import kernels
assert hornbook.__file__.startswith(sys.argv[1]), hornbook.__file__
print(kernels.missing(), kernels.build(), "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("build")
    return made_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_a_wheel_holds_the_kernels_and_needs_no_compiler(wheel, tmp_path):
    names = [f"hornbook/kernels/prebuilt/{level.name}.so" for level in recipe.levels()]
    with zipfile.ZipFile(wheel) as archive:
        assert set(names) < set(archive.namelist())
        archive.extractall(tmp_path / "site")
    assert "-py3-none-" in wheel.name
    planted, home = tmp_path / "planted", tmp_path / "home"
    planted.mkdir()
    for name in ("g++", "clang++"):
        (planted / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
        (planted / name).chmod(0o755)
    for path in (planted, tmp_path / "nothing"):
        more = {"PATH": str(path), "HORNBOOK_HOME": str(home), "PYTHONPATH": str(tmp_path / "site")}
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, str(tmp_path / "site")],
            cwd=tmp_path, env={**os.environ, **more}, capture_output=True, text=True,
        )  # fmt: skip
        best = tmp_path / "site" / names[recipe.levels().index(recipe.fitting(cpu_flags())[0])]
        assert done.stdout == f"None {best} False\n", done.stderr
    assert not (tmp_path / "called").exists() and not home.exists()


SPEEDS = """
import sys, time
from pathlib import Path
import numpy as np
from hornbook.kernels import check, pointers, prebuilt, store
from hornbook.kernels.library import Library
from hornbook.kernels.quantised import matrix_of, tiles
from hornbook.kernels.structures import FORMS
loaded = prebuilt.load(prebuilt.paths()[0]), store.load(Path(sys.argv[1]))
libraries = [*map(Library, loaded)]
for at, form in enumerate(FORMS):
    matrix = pointers.matrix(made := tiles(matrix_of(check._codes((512, 512), form, at))))
    x, best = check._numbers((64, 512), 0), np.full((2, 2), np.inf)
    for _ in range(200):
        for which, library in enumerate(libraries):
            for many, rows in enumerate((x[:1], x)):
                begun = time.perf_counter()
                library.product(matrix, rows, threads=1)
                best[which, many] = min(best[which, many], time.perf_counter() - begun)
    print(*best[1] / best[0])
"""


@pytest.mark.slow
def test_an_installed_wheel_generates_without_a_compiler_as_fast_as_from_the_sources(
    wheel, tmp_path
):
    """In an environment of its own, where there is no compiler."""
    source = built_here(tmp_path)
    native.build()
    file = gguf_file(tmp_path)
    python = installed(wheel, tmp_path / "environment")
    nowhere = {**os.environ, "PATH": str(tmp_path / "empty"), "HORNBOOK_HOME": str(tmp_path / "no")}
    options = (
        "generate",
        file,
        "--prompt",
        "the",
        "--max-tokens",
        "20",
        "--temperature",
        "0",
        "--json",
    )

    def said(*command, env=nowhere):
        done = subprocess.run(
            [str(each) for each in command], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    taken = said(python, "-c", "from hornbook import kernels as k; print(k.build(), k.missing())")
    assert f"{recipe.fitting(cpu_flags())[0].name}.so None" in taken
    assert str(tmp_path / "environment") in taken
    theirs = said(python.with_name("hornbook"), *options)
    ours = said(sys.executable, "-m", "hornbook", *options, env=None)
    assert json.loads(theirs)["token_ids"] == json.loads(ours)["token_ids"]
    assert not (tmp_path / "no").exists()
    ratios = [float(each) for each in said(python, "-c", SPEEDS, source).split()]
    assert statistics.median(ratios) > 0.9, ratios


def built_here(folder):
    """Kernels that this processor's compiler made of the sources."""
    tools = compiler.tools()
    if isinstance(tools, str):
        pytest.skip(f"no kernels can be built: {tools}")
    made, place = folder / "made", folder / "kernels" / "source.so"
    subprocess.run(tools.command(made), check=True)
    store.keep(made, place)
    return place


def gguf_file(folder):
    text = "the hornbook and others " * 50
    model = decoder_folder(
        folder, text, "llama", vocab=320, width=64, context=64, heads=4, head=16, hidden=96,
        tied=True,
    )  # fmt: skip
    export(model, "gguf", "q8_0", folder / "m.gguf", None, QUIET)
    return folder / "m.gguf"


def installed(wheel, folder):
    """The Python of a new environment with the wheel; libraries that it needs are those here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    return python


def made_wheel(folder):
    """A wheel of a copy of the tree, so that nothing of it lies in the tree."""
    tree = folder / "tree"
    copied = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True).stdout.decode()  # fmt: skip
    for name in filter(None, copied.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    done = subprocess.run([*command, str(tree)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    return wheel
