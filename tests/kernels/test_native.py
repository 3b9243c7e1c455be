"""Kernels of our own: what is said where they cannot be had, and who builds them when."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hornbook import kernels as native
from hornbook.core.isolation import python
from hornbook.kernels import (
    builder,
    check,
    compiler,
    openmp,
    pointers,
    prebuilt,
    quantised,
    recipe,
    store,
    structures,
)
from hornbook.kernels.codes import Codes


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


@pytest.mark.usefixtures("tools")
def test_without_an_openmp_runtime_the_kernels_start_threads_of_their_own(monkeypatch):
    place = native.build()
    x, weights = np.ones((40, 64), np.float32), np.arange(32 * 64, dtype=np.uint8)
    scale = np.ones((32, 2), np.float32)
    whole = Codes(structures.FORMS[1], weights.reshape(32, 64), scale, scale)
    tiles = quantised.tiles(quantised.matrix_of(whole))
    matrix = pointers.matrix(tiles)
    expected = native.library().product(matrix, x, threads=1)
    loaded = ctypes.CDLL(str(place))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(openmp, "entry", lambda: None)
            own = check.checked(loaded, threads=None)
            for threads in (1, 2, 7):
                assert np.array_equal(own.product(matrix, x, threads), expected)
    finally:
        check.checked(loaded)  # what is loaded once serves all


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


LIMITED = """
import resource, numpy as np
from hornbook import kernels
from hornbook.kernels import pointers, structures
from hornbook.kernels.quantised import Tiles
kernels.build()
library = kernels.library()
tiles = Tiles(np.ones((1, 512, 576), np.uint8), None, 16, 16384, structures.FORMS[1])
matrix, x = pointers.matrix(tiles), np.ones((ROWS, 16384), np.float32)
one = library.product(matrix, x[:1], threads=1)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 4 * 2**20, -1))
try:
    print(np.array_equal(library.product(matrix, x, threads=8)[-1:], one))
except MemoryError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (1, "True\n"),  # no other thread can be started, whose stack takes 8 MiB
        (900, "no memory for what the kernels compute"),
    ],
)
@pytest.mark.usefixtures("tools")
def test_what_the_system_refuses_is_an_error_or_done_otherwise(rows, said):
    code = LIMITED.replace("ROWS", str(rows))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith(said), done.stdout + done.stderr


MUTATIONS = {
    "turned backwards": ("functions.h", "subtract(multiply(a, c)", "add(multiply(a, c)"),
    "the rest turned backwards": ("functions.h", "a * cos[i] - b", "a * cos[i] + b"),
    "another scale of scores": ("attention.h", "all(x.scale)", "all(0.5f)"),
    "no cap": ("attention.h", "x.cap > 0", "x.cap > 9"),
    "weights of another query": ("attention.h", "x.score(m + j, p)", "x.score(j / 2, p)"),
    "what one sees alone": ("attention.h", "std::max(to, x.first[m])", "x.stop[m]"),
    "keys of another place": ("attention.h", "position % kAbreast;", "position % 8;"),
    "keys of another head": ("decoder.h", "place.kv * pass.head", "0 * pass.head"),
    "the next token seen": ("decoder.h", "pass.position[row] + 1;", "pass.position[row] + 2;"),
    "no window": ("decoder.h", "layer.window > 0", "layer.window > 99"),
    "keys of another layer": ("decoder.h", "attend(x, pass.keys[number]", "attend(x, pass.keys[0]"),
    "other angles": ("decoder.h", "table * layer.angles", "table * 0"),
    "all are turned": ("decoder.h", "if (layer.angles >= 0)", "if (true)"),
    "no norm of queries": ("decoder.h", "if (norm && !layer.whole)", "if (false)"),
    "heads normed one by one": ("decoder.h", "if (layer.whole && layer.q", "if (false && layer.q"),
    "no bias": ("product.h", "if (bias_)", "if (false)"),
    "one stream": ("decoder.h", "multiply_all<true>", "multiply_all<false>"),
    "gates and values swapped": ("mlp.h", "load(gates + m", "load(ups + m"),
    "another activation": ("kernels.cpp", "layer.activation == kSilu", "true"),
    "no norm behind": ("decoder.h", "rms_norm(added, after", "if (false) rms_norm(added, after"),
    "another share of a layer": ("decoder.h", "all(residual), load", "all(1), load"),
    "another expert": ("mlp.h", "layer.expert[own]", "layer.expert[0]"),
    "the best expert alone": ("mlp.h", "weight[k] *= by", "weight[k] = k == 0"),
    "an expert twice": ("mlp.h", "share[chosen[k]] = -1", "share[chosen[k]] = 1"),
    "no norm behind experts": ("mlp.h", "if (layer.mlp_after) rms", "if (false) rms"),
    "no offsets": ("product.h", "found[m] = multiply_add(offset", "multiply_add(offset"),
    "one scale for two parts": ("product.h", "p, w.scale[p]", "p, w.scale[0]"),
    "a row twice": ("product.h", "facts[m * step]", "facts[m / 2 * step]"),
    "another table": ("forms.h", "{1,   24", "{2,   24"),
    "bits of others": ("forms.h", "kWidth * field - kAt", "kWidth * field"),
    "no multiples": ("forms.h", "multiply(scale, load_steps(step))", "scale"),
    "offsets in pairs": ("forms.h", "upper_steps(step)", "lower_steps(step)"),
    "no gates": ("decoder.h", "if (!d.gated) return;", "return;"),
    "gates of another head": ("decoder.h", "x.q[m] + d.gates()", "x.q[0] + d.gates()"),
    "keys of another head of values": ("delta.h", "? h % key_heads", "? h / 2"),
    "steps for rates": ("recall.h", "own.strengths + heads, recall", "own.strengths, recall"),
    "gates of a token before": ("recall.h", "own.projected + convolved", "own.projected"),
    "what others remember": ("delta.h", "rows.slot[piece]) * d.heads", "0) * d.heads"),
    "another token of a piece": ("delta.h", "token[first[piece] + t]", "token[first[piece]]"),
    "weights that come to another sum": ("mlp.h", "? of_chosen : all_of", "? all_of : of_chosen"),
    "form": ("product.h", "Codes<3, 16, 256>", "Codes<6, 16, 256>"),
    "another epsilon": ("functions.h", "size + epsilon", "size + 0"),
    "fields swapped": ("decoder.h", "int32_t rows, reach,", "int32_t reach, rows,"),
}
"""Where, what stands there, and what a mistake makes of it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, *MUTATIONS])
def test_kernels_that_compute_something_else_are_not_kept(name, tools, tmp_path, monkeypatch):
    folder = tmp_path / "source"
    shutil.copytree(recipe.SOURCE.parent, folder)
    if name:
        file, right, wrong = MUTATIONS[name]
        source = (folder / file).read_text()
        assert right in source
        (folder / file).write_text(source.replace(right, wrong, 1))
    monkeypatch.setattr(recipe, "SOURCE", folder / "kernels.cpp")
    monkeypatch.setattr(recipe, "OPTIONS", (*recipe.OPTIONS, "-O0"))
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    assert (builder.build(tools) is None) == bool(name)
    if name:
        reason = builder.failure(tools.place())
        assert (
            "other structures" if name in ("fields swapped", "form") else "something else"
        ) in reason


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def make_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def make_link(path):
    path.rename(path.with_name("elsewhere.so"))
    path.symlink_to(path.with_name("elsewhere.so"))


DAMAGE = {
    "cut": cut,
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: path.write_bytes(b"x"),
    "gone": lambda path: path.unlink(),
    "folder": make_folder,
    "link": make_link,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_built_again(how, tmp_path):
    made, place = tmp_path / "made", tmp_path / "kernels" / "k.so"
    made.write_bytes(b"the kernels" * 1000)
    store.keep(made, place)
    assert store.is_whole(place)
    DAMAGE[how](place)
    assert not store.is_whole(place)
    with pytest.raises(OSError):
        store.load(place)
    store.keep(made, place)
    assert store.is_whole(place)


def test_what_others_could_write_is_not_loaded(tmp_path):
    made, place = tmp_path / "made", tmp_path / "kernels" / "k.so"
    made.write_bytes(b"the kernels")
    store.keep(made, place)
    for mode in (0o770, 0o702, 0o777):
        place.parent.chmod(mode)
        assert not store.is_whole(place)
        store.prepare(place.parent)
        assert not place.exists() and place.parent.stat().st_mode & 0o777 == 0o700
        store.keep(made, place)
    assert store.is_whole(place)


def test_a_link_to_another_folder_leaves_that_folder_as_it_is(tmp_path):
    other, made = tmp_path / "project", tmp_path / "made"
    other.mkdir()
    other.chmod(0o777)
    (other / "mine.so").write_bytes(b"of the user")
    made.write_bytes(b"the kernels")
    (tmp_path / "kernels").symlink_to(other)
    store.keep(made, tmp_path / "kernels" / "k.so")
    assert (other / "mine.so").read_bytes() == b"of the user"
    assert other.stat().st_mode & 0o777 == 0o777
    assert not store.is_whole(tmp_path / "kernels" / "k.so")


def test_a_folder_of_another_user_is_left_alone(empty_home, tools, monkeypatch, tmp_path):
    (tmp_path / "kernels").mkdir(mode=0o700)
    monkeypatch.setattr(store.os, "geteuid", lambda: 12345)
    assert native.library() is None and native.build() is None and not empty_home
    assert "another user" in native.missing()
