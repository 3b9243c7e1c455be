"""Who builds the kernels when, what is said where they cannot be had, and what is built anew."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hornbook import kernels as native
from hornbook.core.isolation import python
from hornbook.kernels import check, compiler, recipe, store, structures


def until(right):
    """Waits for something that takes a moment."""
    for _ in range(600):
        if right():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_without_a_compiler_others_compute(empty_home, monkeypatch):
    monkeypatch.setattr(compiler, "program", lambda *names: None)
    assert native.library() is None and native.build() is None and not empty_home
    assert "no C++ compiler" in native.missing()


def test_on_another_processor_others_compute(empty_home, monkeypatch):
    monkeypatch.setattr(recipe, "fitting", lambda flags: [])
    assert native.library() is None and native.build() is None and not empty_home
    assert "AVX2" in native.missing()
    native._found.cache_clear()
    monkeypatch.setattr(recipe.platform, "machine", lambda: "mips")
    assert "neither x86 nor ARM" in native.missing()


def test_a_compiler_that_fails_is_asked_once_an_hour_and_its_words_are_kept(
    empty_home, as_compiler
):
    folder = as_compiler("echo 'k.cpp: error: no such option' >&2; exit 1")
    assert native.library() is None and len(empty_home) == 1
    assert "built in the background" in native.missing()
    assert native.build() is None
    assert native.library() is None and len(empty_home) == 1
    (complaint,) = (folder / "kernels").glob("*.failed.txt")
    assert complaint.read_text() == "k.cpp: error: no such option\n"
    assert "no such option" in native.missing() and str(complaint) in native.missing()
    os.utime(complaint, (0, 0))
    native._found.cache_clear()
    assert native.library() is None and len(empty_home) == 2


def test_a_library_that_no_loader_takes_is_built_anew(empty_home, tools, tmp_path):
    place = tools.place()
    (tmp_path / "made").write_bytes(b"no library")
    store.keep(tmp_path / "made", place)  # whole, and of no use
    assert native.library() is None and len(empty_home) == 1
    assert not place.exists() and "built in the background" in native.missing()


def test_a_library_of_other_structures_is_built_anew(compiled, monkeypatch):
    place = native.build()
    assert native.missing() is None
    with monkeypatch.context() as patch:
        patch.setattr(structures, "layout", lambda: iter((16, 32, 40)))
        with pytest.raises(OSError, match="other structures"):
            check.checked(store.load(place))
        native._found.cache_clear()
        assert native.library() is None and len(compiled) == 1 and not place.exists()
    assert native.build() == place and native.missing() is None


@pytest.mark.usefixtures("compiled")
def test_a_system_without_paths_of_open_folders_loads_by_the_path_itself(monkeypatch, tmp_path):
    place = native.build()
    kept = tmp_path / "kernels" / "copy.so"  # not yet loaded by another path
    store.keep(place, kept)
    monkeypatch.setattr(store, "_OPEN", tmp_path / "none")
    assert store.load(kept)._name == str(kept)
    monkeypatch.undo()
    assert store.load(kept)._name.startswith("/proc/self/fd/")


def test_a_folder_in_which_nothing_can_be_written_is_said(empty_home, tools, tmp_path):
    (tmp_path / "kernels").write_text("a file")
    assert native.library() is None and not empty_home
    assert "cannot be written to" in native.missing()


def test_a_folder_of_another_user_is_left_alone(empty_home, tools, monkeypatch, tmp_path):
    (tmp_path / "kernels").mkdir(mode=0o700)
    monkeypatch.setattr(store.os, "geteuid", lambda: 12345)
    assert native.library() is None and native.build() is None and not empty_home
    assert "another user" in native.missing()


COMMAND = "from hornbook import kernels; print(kernels.missing(), flush=True); "


def test_the_builder_ends_when_its_starter_is_killed(as_compiler):
    folder = as_compiler("echo $$ > pid; exec sleep 300")
    code = COMMAND + "import time; time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as starter:
        assert b"in the background" in starter.stdout.readline()
        until(lambda: (folder / "pid").is_file() and (folder / "pid").read_text().strip())
        starter.kill()
    running = int((folder / "pid").read_text())
    until(lambda: not is_alive(running))
    until(lambda: not is_locked(folder))  # the builder has ended as well
    assert not list((folder / "kernels").glob("*.failed.txt"))
    until(lambda: not list((folder / "temporary").iterdir()))


def test_the_builder_goes_on_when_its_starter_ends_and_the_next_one_is_told(as_compiler):
    folder = as_compiler("while [ ! -e go ]; do sleep 0.05; done; echo 'error: odd' >&2; exit 1")
    for _ in range(2):  # the second finds that one is at it
        done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, check=True)
        assert b"in the background" in done.stdout and not done.stderr
    (folder / "go").touch()
    until(lambda: list((folder / "kernels").glob("*.failed.txt")))
    done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, check=True)
    assert b"failed: error: odd" in done.stdout


@pytest.mark.slow
def test_two_that_build_at_once_compile_once(as_compiler):
    folder = as_compiler('echo $$ >> calls; exec $REAL "$@" -O0')
    both = [subprocess.Popen(python("hornbook.kernels")) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert len((folder / "calls").read_text().split()) == 1
    assert [path.suffix for path in (folder / "kernels").iterdir() if path.suffix != ".lock"] == [
        ".so"
    ]


def is_alive(process):
    try:
        os.kill(process, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def is_locked(folder):
    try:
        with store.alone(next((folder / "kernels").glob("*.lock")), wait=False):
            return False
    except BlockingIOError:
        return True
