"""The kernels on ARM, under an emulator: the bits of AVX2, the same answers, their own tests.

`make test-arm`. Needs `qemu-aarch64`, `aarch64-linux-gnu-g++` and a folder that `scripts/arm.py`
made, in HORNBOOK_ARM. Each test starts one process, whose words are in FOLDER/logs while it runs.
What passed is not run again for the same sources, so that a run that was stopped goes on where it
was. An emulator says nothing about speed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hornbook.core.home import home
from hornbook.core.machine import cpu_flags
from hornbook.kernels import recipe

pytestmark = pytest.mark.arm
ROOT = Path(__file__).parents[2]
CROSS = "aarch64-linux-gnu-g++"
PROCESSORS = {"max": "i8mm", "neoverse-n1": "dotprod", "cortex-a72": "neon"}
"""Of the emulator, and which kernels each should take."""
TESTS = (
    *(f"kernels/test_{part}.py" for part in ("native", "builder", "products")),
    *(f"kernels/{path.name}" for path in sorted(Path(__file__).parent.glob("test_*_kernel.py"))),
    *(f"generate/test_native_{part}.py" for part in ("decoder", "families", "hybrid")),
    *(f"models/test_gguf_{part}.py" for part in ("decoder", "forms")),
)
LEFT_OUT = "test_what_the_system_refuses_is_an_error_or_done_otherwise"
"""The emulator keeps no limits of memory."""
# For the processor that runs it, the native compiler knows what that is; a cross compiler is told.
COMPILER = f"""#!/bin/sh
exec {CROSS} $(echo "$@" | sed 's/-mcpu=native/-march=armv8.2-a+dotprod+i8mm/')
"""
MODEL = "models/smollm2-135m-instruct/*.gguf"
TOKENS = "12"
RUN = ("core", "generate", "kernels", "models", "nn", "tokenize")
"""Packages that the tests here run; a change to another one makes none of them run again."""


@pytest.fixture(scope="module")
def arm():
    """The folder with Python for ARM."""
    for program in ("qemu-aarch64", CROSS):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not there")
    folder = Path(os.environ.get("HORNBOOK_ARM", ""))
    if not (folder / "python").is_file():
        pytest.skip("HORNBOOK_ARM names no folder that scripts/arm.py made")
    (folder / "logs").mkdir(exist_ok=True)
    return folder.absolute()


def sources(*tests):
    """The hash of all that some test files run."""
    files = [ROOT / "tests" / path for path in ("conftest.py", "tiny.py", "levels.py", *tests)]
    files += [Path(__file__), Path(__file__).with_name("arm_work.py")]
    files += [ROOT / "tests/kernels/conftest.py"]
    for package in RUN:
        folder = ROOT / "hornbook" / package
        files += [path for end in ("py", "h", "cpp") for path in folder.rglob(f"*.{end}")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(files))).hexdigest()


class Part:
    """What one test starts on ARM. log: what it says; note: written when it passed."""

    def __init__(self, folder, name, sources):
        name = re.sub(r"\W+", "-", name).strip("-")
        self.folder, self.sources = folder, sources
        self.log, self.note = (folder / "logs" / f"{name}.{end}" for end in ("log", "passed"))

    def run(self, tree, processor, module, *arguments, **more):
        """The last line of what it says."""
        own = {
            "QEMU_CPU": processor, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1",
            "HORNBOOK_HOME": str(self.folder / "home"), "HF_HUB_OFFLINE": "1", **more,
        }  # fmt: skip
        command = [self.folder / "python", "-m", module, *arguments]
        with self.log.open("w") as log:
            done = subprocess.run(
                command, cwd=tree, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT
            )
        said = self.log.read_text()
        assert done.returncode == 0, said[-4000:]
        return said.splitlines()[-1]

    def passed(self):
        self.note.write_text(self.sources)


@pytest.fixture
def part(arm, request):
    """Of this test, unless it passed already."""
    tests = request.node.callspec.params.get("tests") if hasattr(request.node, "callspec") else None
    own = Part(arm, request.node.name.removeprefix("test_"), sources(*filter(None, [tests])))
    if own.note.is_file() and own.note.read_text() == own.sources:
        pytest.skip(f"it passed for these sources: {own.log}")
    return own


@pytest.fixture(scope="module")
def plain(arm):
    """This tree's modules, which build their kernels."""
    tree = copied(arm / "plain")
    (tree / "g++").write_text(COMPILER)
    (tree / "g++").chmod(0o755)
    return tree


@pytest.fixture(scope="module")
def package(arm):
    """This tree's modules with kernels as a wheel has them."""
    tree = copied(arm / "package")
    folder, kept = tree / "hornbook/kernels/prebuilt", arm / "prebuilt"
    book = kept / "libraries.json"
    if not book.is_file() or json.loads(book.read_text())["sources"] != recipe.sources():
        command = [sys.executable, ROOT / "scripts/prebuild.py", kept, "aarch64"]
        subprocess.run(command, env={**os.environ, "CXX": CROSS}, check=True)
    shutil.copytree(kept, folder)
    return tree


def copied(tree):
    shutil.rmtree(tree, ignore_errors=True)
    aside = shutil.ignore_patterns("__pycache__", "prebuilt")
    for part in ("hornbook", "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=aside)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@pytest.fixture(scope="module")
def here():
    """Runs `arm_work` on this processor, with kernels for AVX2."""
    level = recipe.levels("x86_64")[-1]
    if level not in recipe.fitting(cpu_flags()):
        pytest.skip("this processor has no AVX2 to compare with")

    def run(*arguments):
        command = [sys.executable, "-m", "tests.kernels.arm_work", f"--level={level.name}"]
        done = subprocess.run(
            [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)["found"]

    return run


@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_form_of_matrix_and_a_decoder_give_the_bits_of_avx2(part, processor, package, here):
    found = json.loads(part.run(package, processor, "tests.kernels.arm_work", "results"))
    assert found["kernels"] == f"aarch64-{PROCESSORS[processor]}"
    assert found["found"] == here("results")
    part.passed()


def test_24_prompts_are_answered_alike(part, package, here):
    paths = sorted(home().glob(MODEL))
    if not paths:
        pytest.skip("hornbook pull smollm2-135m-instruct brings the model")
    more = str(paths[0].resolve()), TOKENS
    found = json.loads(part.run(package, "max", "tests.kernels.arm_work", "answers", *more))
    assert len(found["found"]) == 24 and found["found"] == here("answers", *more)
    part.passed()


@pytest.mark.parametrize("tests", TESTS)
def test_the_tests_of_the_kernels_pass(part, tests, plain):
    options = "-p", "no:cacheprovider", "--deselect", f"tests/{tests}::{LEFT_OUT}"
    compiler = {"CXX": str(plain / "g++")}
    said = part.run(plain, "max", "pytest", *options, f"tests/{tests}", **compiler)
    assert re.search(r"\b\d+ passed", said), said
    part.passed()
