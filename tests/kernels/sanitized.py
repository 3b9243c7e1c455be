"""A plugin of pytest: the kernels are built with sanitizers, in this process alone.

`test_sanitizers.py` starts it with their runtimes preloaded. It adds to the options of the ordinary
build, so nothing of the package asks the environment for options, and as a library's name follows
from its options, these never lie where the usual ones do.
"""

import os

import pytest

from hornbook import kernels as native
from hornbook.kernels import builder, check, openmp, recipe, store

OPTIONS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
"""Optimised little: what is checked is the same, in a fraction of the compiler's time."""
KINDS = "HORNBOOK_TEST_SANITIZERS"


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    os.environ.pop("LD_PRELOAD", None)  # the compiler, and other processes, do without
    recipe.OPTIONS = *recipe.OPTIONS, *OPTIONS, f"-fsanitize={os.environ[KINDS]}"
    if os.environ[KINDS] == "thread":
        # On threads whose beginning and end a sanitizer sees: torch's runtime is built without one.
        openmp.entry = lambda: None
    # In this process, which has the sanitizers' runtimes.
    builder._tried = lambda path: check.checked(store.load(path), threads=None) and None
    native.build()
    if native.library() is None:
        pytest.exit(f"no kernels with sanitizers: {native.missing()}", returncode=3)
    return (yield)
