"""The kernels on ARM, under an emulator: the same bits as AVX2 makes, and the same answers.

`make test-arm`. Needs `qemu-aarch64`, `aarch64-linux-gnu-g++` and a folder that `scripts/arm.py`
made, in HORNBOOK_ARM. An emulator says nothing about speed.
"""

import json
import os
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
    "tests/kernels/test_native.py",
    "tests/kernels/test_products.py",
    "tests/generate/test_native_decoder.py",
    "tests/models/test_gguf_decoder.py",
)
LEFT_OUT = ("test_what_the_system_refuses_is_an_error_or_done_otherwise",)
"""The emulator keeps no limits of memory."""
# For the processor that runs it, the native compiler knows what that is; a cross compiler is told.
COMPILER = f"""#!/bin/sh
exec {CROSS} $(echo "$@" | sed 's/-mcpu=native/-march=armv8.2-a+dotprod+i8mm/')
"""
MODEL = "models/smollm2-135m-instruct/*.gguf"
TOKENS = "24"


@pytest.fixture(scope="module")
def arm():
    """The folder with Python for ARM."""
    for program in ("qemu-aarch64", CROSS):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not there")
    folder = Path(os.environ.get("HORNBOOK_ARM", ""))
    if not (folder / "python").is_file():
        pytest.skip("HORNBOOK_ARM names no folder that scripts/arm.py made")
    return folder.absolute()


@pytest.fixture(scope="module")
def package(arm, tmp_path_factory):
    """Starts this tree's modules on ARM, with kernels as a wheel has them; gives what was said."""
    tree = tmp_path_factory.mktemp("arm")
    for part in ("hornbook", "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    prebuild(tree, CROSS, "aarch64")
    (tree / "g++").write_text(COMPILER)
    (tree / "g++").chmod(0o755)

    def run(processor, module, *arguments, **more):
        own = {"QEMU_CPU": processor, "PYTHONPATH": str(tree), "HORNBOOK_HOME": str(tree / "home")}
        done = subprocess.run(
            [arm / "python", "-m", module, *arguments],
            cwd=tree, env={**os.environ, **own, **more}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    run.tree = tree
    return run


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The same on this processor, with the kernels for AVX2."""
    level = recipe.levels("x86_64")[-1]
    if level not in recipe.fitting(cpu_flags()):
        pytest.skip("this processor has no AVX2 to compare with")
    tree = tmp_path_factory.mktemp("here")
    shutil.copytree(ROOT / "hornbook", tree / "hornbook")
    shutil.copytree(ROOT / "tests", tree / "tests")
    prebuild(tree, "g++", "x86_64")
    for path in (tree / "hornbook/kernels/prebuilt").glob("*.so"):
        if path.stem != level.name:
            path.unlink()

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "tests.kernels.arm_work", *arguments],
            cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert found["kernels"] == level.name
        return found["found"]

    return run


def prebuild(tree, compiler, machine):
    folder = tree / "hornbook/kernels/prebuilt"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, ROOT / "scripts/prebuild.py", folder, machine]
    subprocess.run(command, env={**os.environ, "CXX": compiler}, check=True)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_form_of_matrix_and_a_decoder_give_the_bits_of_avx2(processor, package, here):
    found = json.loads(package(processor, "tests.kernels.arm_work", "results"))
    assert found["kernels"] == f"aarch64-{PROCESSORS[processor]}"
    assert found["found"] == here("results")


def test_24_prompts_are_answered_alike(package, here):
    paths = sorted(home().glob(MODEL))
    if not paths:
        pytest.skip("hornbook pull smollm2-135m-instruct brings the model")
    more = str(paths[0].resolve()), TOKENS
    found = json.loads(package("max", "tests.kernels.arm_work", "answers", *more))
    assert len(found["found"]) == 24 and found["found"] == here("answers", *more)


@pytest.mark.parametrize("tests", TESTS)
def test_the_tests_of_the_kernels_pass(tests, package):
    shutil.rmtree(package.tree / "hornbook/kernels/prebuilt")  # they build their own
    try:
        options = "-p", "no:cacheprovider", "--deselect", f"{tests}::{LEFT_OUT[0]}"
        said = package("max", "pytest", *options, tests, CXX=str(package.tree / "g++"))
        assert "passed" in said or "[100%]" in said
    finally:
        prebuild(package.tree, CROSS, "aarch64")
