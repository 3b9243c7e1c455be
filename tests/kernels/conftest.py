"""What the tests of building and keeping kernels share: empty homes and compilers of their own."""

import pytest

from hornbook import kernels as native
from hornbook.kernels import builder, compiler, prebuilt, recipe, store


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A home without kernels; processes that would build them are only counted."""
    begun = []
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    monkeypatch.setattr(builder, "start_aside", lambda *command: begun.append(command))
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(recipe, "OPTIONS", (*recipe.OPTIONS, "-O0"))  # built sooner
    native._found.cache_clear()
    yield begun
    native._found.cache_clear()


@pytest.fixture
def tools():
    found = compiler.tools()
    if isinstance(found, str):
        pytest.skip(f"no kernels can be built: {found}")
    return found


@pytest.fixture(scope="module")
def usual():
    """The kernels of all other tests."""
    return native.build()


@pytest.fixture
def compiled(usual, empty_home, tools, monkeypatch):
    """An empty home, in which compiling takes no time."""
    monkeypatch.setattr(builder, "_made", lambda tools, path: store.keep(usual, path))
    return empty_home


@pytest.fixture
def as_compiler(tmp_path, monkeypatch, tools):
    """Makes a shell script the compiler; $1 and so on are its arguments, $REAL the true one."""

    def put(script):
        path = tmp_path / "fake-g++"
        path.write_text(f"#!/bin/sh\nREAL={tools.compiler[0]}\ncd {tmp_path}\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CXX", str(path))
        monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
        (tmp_path / "temporary").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        return tmp_path

    return put
