"""A plugin of pytest: the kernels are built with sanitizers, in this process alone.

`test_sanitizers.py` starts it with their runtimes preloaded. It adds to the options of the ordinary
build, so nothing of the package asks the environment for options, and as a library's name follows
from its options, these never lie where the usual ones do.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from hornbook import kernels as native
from hornbook.kernels import builder, compiler

OPTIONS = ("-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
KINDS = "HORNBOOK_TEST_SANITIZERS"
_THREADS = Path(__file__).with_name("threads.cpp")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    os.environ.pop("LD_PRELOAD", None)  # the compiler, and other processes, do without
    options = *OPTIONS, f"-fsanitize={os.environ[KINDS]}"
    compiler.OPTIONS = *compiler.OPTIONS, *options
    with tempfile.TemporaryDirectory() as folder:
        if os.environ[KINDS] == "thread":
            runtime = str(Path(folder) / "threads.o")
            command = [*compiler.tools().compiler, "-O1", "-fPIC", *options, "-c", "-o", runtime]
            subprocess.run([*command, str(_THREADS)], check=True)
            compiler._openmp = lambda: runtime
        # In this process, which has the sanitizers' runtimes.
        builder._tried = lambda path: builder.checked(path, threads=None) and None
        native.build()
        if native.library() is None:
            pytest.exit(f"no kernels with sanitizers: {native.missing()}", returncode=3)
        return (yield)
