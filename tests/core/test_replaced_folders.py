"""A folder is replaced by its own maker only, and what a user put there outlives all of it."""

import os
import signal
import sys
from pathlib import Path

import pytest

from hornbook.core.claims import MARKER, Claim, marker_of
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import read_json, write_json
from hornbook.core.folders import (
    add,
    atomic_folder,
    check_place,
    damage,
    discard,
    entering,
    sign,
)
from hornbook.core.outputs import check_file, output_file
from hornbook.core.signals import held
from hornbook.core.stages import run_stage

OWN = Claim("test")


def write(folder, claim=OWN, **files):
    """Files by name, __ for the slash."""
    with atomic_folder(folder, claim) as aside:
        for name, text in files.items():
            path = aside / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def tree(folder):
    """Everything below a folder: the text of files, where links lead, and empty folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", "")
        else:
            found[name] = ("file", path.read_text())
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def with_users_files(place):
    """An old result with all kinds of things that a user can put into a folder."""
    write(place, a="old a", sub__b="old b")
    (place / "thesis.txt").write_text("years of work")
    (place / "sub" / "notes.txt").write_text("notes")
    (place / "own" / "deep").mkdir(parents=True)
    (place / "own" / "deep" / "x").write_text("x")
    (place / "empty").mkdir()
    (place / ".hidden").write_text("hidden")
    (place / "link").symlink_to("nowhere")


USERS = ("thesis.txt", "sub/notes.txt", "own/deep/x", "empty", ".hidden", "link")


def test_what_a_user_put_there_survives(tmp_path):
    place = tmp_path / "out"
    with_users_files(place)
    before = tree(place)
    write(place, a="new a", c="new c")
    after = tree(place)
    assert {name: after[name] for name in USERS} == {name: before[name] for name in USERS}
    assert (after["a"], after["c"]) == (("file", "new a"), ("file", "new c"))
    assert "sub/b" not in after
    assert names(tmp_path) == ["out"]


def killed_at(step, work):
    """Do the work in a process of its own that dies before its `step`-th deed; whether it did."""
    child = os.fork()
    if child == 0:  # pragma: no cover - nothing of it comes back
        deeds = 0

        def count(event, arguments):
            nonlocal deeds
            writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir") or writes:
                deeds += 1
                if deeds == step:
                    os._exit(9)

        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_between_any_two_steps(tmp_path, stride):
    step, killed = 0, True
    while killed:
        step += stride
        root = tmp_path / str(step)
        place = root / "out"
        with_users_files(place)
        before = tree(place)

        def work(place=place):
            write(place, a="new a", c="new c")

        killed = killed_at(step, work)
        there = {path.name: path for path in root.rglob("*")}
        assert {Path(name).name for name in USERS} <= set(there), step
        assert there["thesis.txt"].read_text() == "years of work"
        work()  # the same command again
        after = tree(place)
        assert {name: after.get(name) for name in USERS} == {n: before[n] for n in USERS}, step
        assert (after["a"], after["c"]) == (("file", "new a"), ("file", "new c")), step
        assert set(after) == {"a", "c", MARKER, "sub", "own", "own/deep", *USERS}, step
        assert names(root) == ["out"], step
    assert step > 20


def other(kind, place):
    """What lies at a place and is not the test's."""
    if kind == "project":
        (place / "src").mkdir(parents=True)
        (place / "src" / "thesis.txt").write_text("years of work")
        (place / "config.json").write_text("{}")
    elif kind == "another maker":
        write(place, Claim("another"), x="x")
    elif kind == "other sources":
        write(place, Claim("test", ("elsewhere",)), x="x")
    elif kind == "older":
        place.mkdir()
        write_json(place / MARKER, {"fingerprint": "1", "inputs": {}})
        (place / "x").write_text("x")
    elif kind == "false marker":
        place.mkdir()
        write_json(place / MARKER, {"maker": "test", "of": [], "files": {"../x": [1, "1"]}})
    elif kind == "changed":
        write(place, Claim("test", ("here",)), x="x")
        (place / "x").write_text("mine")
    elif kind == "moved away":
        write(place, Claim("test", ("here",)), sub__x="x")
        (place / "sub").rename(place.parent / "elsewhere")
        (place / "sub").symlink_to(place.parent / "elsewhere")
    else:
        place.write_text("mine")


MESSAGES = {
    "project": "holds other files .config.json, src.",
    "another maker": "holds what `another` made; choose another --out",
    "other sources": "holds what `test` made of elsewhere",
    "older": "made by an older Hornbook",
    "false marker": "holds other files",
    "changed": "x was changed since it was written",
    "moved away": "x was changed",
    "file": "is a file",
}


@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize("kind", MESSAGES)
def test_others_are_refused_before_work(tmp_path, kind, through_link):
    place = tmp_path / "place"
    other(kind, place)
    if through_link:
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    before, worked = tree(tmp_path), False
    claim = Claim("test", ("here",))
    with pytest.raises(UsageError, match=MESSAGES[kind]), atomic_folder(place, claim):
        worked = True
    with pytest.raises(UsageError, match=MESSAGES[kind]):
        add(place, claim, "new")
    assert not worked and tree(tmp_path) == before


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    for text in ("old", "new"):
        write(tmp_path / "link", x=text)
        assert (tmp_path / "far" / "x").read_text() == text
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path) == ["far", "link"]


def test_the_folder_one_stands_in(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (Path(), Path("..")):
        with pytest.raises(UsageError, match="is where you are"):
            write(place, x="x")
    with entering(Path(), OWN, "x"):
        (tmp_path / "here" / "x").write_text("x")
    assert names(tmp_path / "here") == [MARKER, "x"]


def test_the_same_sources(tmp_path):
    one, two, place = tmp_path / "p" / "one", tmp_path / "p" / "two", tmp_path / "p" / "out"
    write(place, Claim("test", (one,)), x="x")
    check_place(place, Claim("test", (tmp_path / "p" / "." / "one",)))
    check_place(place, Claim("test", (two, one)))  # what is there is a part of it
    with pytest.raises(UsageError, match="made of one"):
        check_place(place, Claim("test", (two,)))
    (tmp_path / "p").rename(tmp_path / "q")  # the whole project
    check_place(tmp_path / "q" / "out", Claim("test", (tmp_path / "q" / "one",)))


def test_a_name_that_is_taken_changes_nothing(tmp_path):
    place = tmp_path / "out"
    write(place, a="old")
    (place / "b").write_text("mine")
    before = tree(place)
    with pytest.raises(HornbookError, match="b is not Hornbook's own"):
        write(place, a="new", b="new")
    with pytest.raises(UsageError, match="b is not Hornbook's own"):
        add(place, OWN, "b")
    assert tree(place) == before and names(tmp_path) == ["out"]


def test_what_comes_while_work_goes_on_is_not_lost(tmp_path):
    place = tmp_path / "out"
    with pytest.raises(UsageError, match=r"holds other files .mine"), atomic_folder(place, OWN):
        place.mkdir()
        (place / "mine").write_text("mine")
    assert tree(tmp_path) == {"out": ("folder", ""), "out/mine": ("file", "mine")}


def test_hidden_names_like_ours_are_left_alone(tmp_path):
    for kind in ("partial", "old"):
        (tmp_path / f".out.999999.{kind}").mkdir()
        (tmp_path / f".out.999999.{kind}" / "thesis.txt").write_text("years of work")
        (tmp_path / f".out.{os.getpid()}.{kind}.txt").write_text("mine")
    before = tree(tmp_path)
    write(tmp_path / "out", x="x")
    after = tree(tmp_path)
    assert {name: after[name] for name in before} == before


def test_what_is_added_later_goes_with_the_rest(tmp_path):
    place = tmp_path / "out"
    write(place, a="a")
    add(place, OWN, "page", "inner")
    (place / "page").write_text("page")
    write(place / "inner", Claim("part"), x="x")
    (place / "inner" / "mine").write_text("mine")
    write(place / "users", Claim("another"), y="y")  # a result in a result
    write(place, a="new")
    assert {n for n, (kind, _) in tree(place).items() if kind == "file"} == {
        "a", MARKER, "inner/mine", "users/y", f"users/{MARKER}",
    }  # fmt: skip
    discard(place)
    assert {n for n, (kind, _) in tree(place).items() if kind == "file"} == {
        MARKER, "inner/mine", "users/y", f"users/{MARKER}",
    }  # fmt: skip


def test_a_marker_cannot_reach_outside(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    place = tmp_path / "out"
    write(place, a="a")
    for name in ("../thesis.txt", str(tmp_path / "thesis.txt"), "link/thesis.txt"):
        marker = read_json(place / MARKER)
        write_json(place / MARKER, {**marker, "files": {**marker["files"], name: [13, "x"]}})
        if name.startswith("link"):
            (place / "link").symlink_to(tmp_path)
        discard(place)
        assert (tmp_path / "thesis.txt").exists()
        write_json(place / MARKER, marker)


def test_entering_leaves_nothing_when_nothing_came(tmp_path):
    with pytest.raises(ZeroDivisionError), entering(tmp_path / "out", OWN, "report"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    for _ in range(2):
        with entering(tmp_path / "out", OWN, "report"):
            (tmp_path / "out" / "report").write_text("x")
    assert set(marker_of(tmp_path / "out")["files"]) == {"report"}


def test_a_stage_whose_file_was_harmed(tmp_path):
    def build(aside):
        (aside / "x").write_text("whole")

    for claim in (OWN, Claim("test", repairs=True)):
        stage = tmp_path / str(claim.repairs)
        assert run_stage(stage, claim, {}, build) and not run_stage(stage, claim, {}, build)
        (stage / "x").write_text("whOle")
        assert damage(stage) == "x is not what was written"
        if claim.repairs:
            assert run_stage(stage, claim, {}, build)
        else:
            with pytest.raises(UsageError, match="x was changed since it was written"):
                run_stage(stage, claim, {}, build)
            (stage / "x").unlink()
            assert run_stage(stage, claim, {}, build)
        assert (stage / "x").read_text() == "whole"


def test_a_signal_waits_until_the_block_ends(tmp_path):
    done = []
    with pytest.raises(KeyboardInterrupt), held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_files_are_replaced_by_who_wrote_them(tmp_path):
    place, claim = tmp_path / "v.npy", Claim("embed", (tmp_path / "model",))
    for text in ("old", "new"):
        with output_file(place, claim) as aside:
            aside.write_text(text)
        assert place.read_text() == text
    for another in (Claim("export"), Claim("embed", (tmp_path / "another",))):
        with pytest.raises(UsageError, match="holds what `embed` made of model"):
            check_file(place, another)
    place.write_text("mine")
    with pytest.raises(UsageError, match="not what Hornbook wrote"):
        check_file(place, claim)
    (tmp_path / "other").write_text("mine")
    with pytest.raises(UsageError, match="not what Hornbook wrote"):
        check_file(tmp_path / "other", claim)


@pytest.mark.parametrize("kind", ["same", "link", "hard link", "relative"])
def test_a_file_that_is_read_is_not_written(tmp_path, monkeypatch, kind):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    with output_file(source, OWN) as aside:  # ours, and still what the command reads
        aside.write_text("text")
    monkeypatch.chdir(tmp_path)
    if kind == "link":
        out.symlink_to(source)
    elif kind == "hard link":
        os.link(source, out)
    else:
        out = source if kind == "same" else Path("in.jsonl")
    with pytest.raises(UsageError, match="is what the command reads"):
        check_file(out, Claim("test", (source,)))
    assert source.read_text() == "text"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_file_killed_between_any_two_steps(tmp_path, stride):
    step, killed = 0, True
    while killed:
        step += stride
        place = tmp_path / str(step) / "out"
        with output_file(place, OWN) as aside:
            aside.write_text("old")

        def work(place=place):
            with output_file(place, OWN) as aside:
                aside.write_text("new")

        killed = killed_at(step, work)
        assert place.read_text() in ("old", "new")
        work()
        assert place.read_text() == "new" and names(place.parent) == ["out"]


def test_signed_folders_are_known(tmp_path):
    sign(tmp_path / "run", OWN, "recipe.yaml")
    (tmp_path / "run" / "recipe.yaml").write_text("x")
    with pytest.raises(UsageError, match="holds what `test` made"):
        check_place(tmp_path / "run", Claim("another"))
