"""Files appear whole or not at all, and refusals of the system are one sentence."""

import errno
import os
import subprocess
import sys

import pytest

from hornbook.core.asides import UNFINISHED
from hornbook.core.claims import MARKER, Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import atomic_file, write_text
from hornbook.core.folders import atomic_folder, sign

OWN = Claim("test")
GONE = "2147483646"
"""A process number above what Linux gives out."""


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    for name in ("run", "text"):
        left = tmp_path / f".{name}.{GONE}.partial"
        left.mkdir()
        (left / UNFINISHED).touch()
        (left / "half").write_text("half")
    with atomic_folder(tmp_path / "run", OWN) as aside:
        (aside / "whole").write_text("whole")
    write_text(tmp_path / "text", "whole")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["run", MARKER, "text", "whole"]


def test_what_was_set_aside_comes_back(tmp_path):
    (tmp_path / f".run.{GONE}.old").mkdir()
    (tmp_path / f".run.{GONE}.old" / "old").write_text("old")
    sign(tmp_path / f".run.{GONE}.old", OWN, "old")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "run", OWN):
        raise ZeroDivisionError
    assert (tmp_path / "run" / "old").read_text() == "old"


def test_what_is_not_ours_stays(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        kept = {f".run.{other.pid}.partial", f".other.{GONE}.partial", ".run.partial", ".hidden"}
        for name in kept:
            (tmp_path / name).write_text("x")
        write_text(tmp_path / "run", "whole")
        assert {path.name for path in tmp_path.iterdir()} == kept | {"run"}
        other.communicate(b"\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_refusal_leaves_nothing(tmp_path, number):
    with (
        pytest.raises(HornbookError, match="Nothing half-written"),
        atomic_folder(tmp_path / "run", OWN) as aside,
    ):
        (aside / "half").write_text("half")
        raise OSError(number, os.strerror(number))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file/below", "n" * 300])
def test_a_path_that_cannot_be(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HornbookError, match=name), atomic_file(tmp_path / name):
        pass


def test_what_is_missing_inside_the_block_is_not_the_disks_fault(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "run", OWN) as aside:
        (aside / "there").write_text("half")
        (tmp_path / "no such file").read_text()
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_overwritten_by_a_file(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(HornbookError, match="is a folder, not a file"):
        write_text(tmp_path / "run", "x")
    assert (tmp_path / "run").is_dir()
