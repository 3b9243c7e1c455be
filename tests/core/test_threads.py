"""Threads: as many as asked for or as there is time for, and briefly spinning."""

import json
import os
import subprocess
import sys

import pytest

from hornbook.core import threads as module
from hornbook.core.errors import UsageError
from hornbook.core.threads import asked_threads, faster, own, processors, threads, wait_briefly
from tests.clock import set_clock


@pytest.mark.parametrize(("asked", "found"), [("3", 3), (" 2 ", 2), ("2,4", 2), ("064", 64)])
def test_the_users_word_counts(monkeypatch, asked, found):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert asked_threads() == threads() == found


@pytest.mark.parametrize(
    "asked", ["²", "٣", "0", "-1", "+2", "1e3", "two", "100000", "9" * 5000, ",2", "2;3", "1.5"]
)
def test_what_is_no_number_of_threads_is_refused(monkeypatch, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    with pytest.raises(UsageError, match=r"OMP_NUM_THREADS=.*must be a number from 1 to"):
        threads()


@pytest.mark.parametrize("asked", ["²", "100000"])
def test_every_command_refuses_it_before_it_begins(asked, tmp_path):
    command = [sys.executable, "-m", "hornbook", "tokenizer", "train", tmp_path, "--out", tmp_path]
    environment = {**os.environ, "OMP_NUM_THREADS": asked}
    found = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert found.returncode == 2
    assert b"OMP_NUM_THREADS" in found.stderr
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("quota", "found"),
    [("max 100000", None), ("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1),
     ("", None), ("0 0", None)],
)  # fmt: skip
def test_a_containers_share_counts(monkeypatch, tmp_path, quota, found):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(module, "_core", str)  # as many cores as processors
    monkeypatch.setattr(module, "processors", lambda: range(8))
    monkeypatch.setattr(module, "_QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(quota)
    assert threads() == (found or 8)


def test_no_share_is_written_down(monkeypatch, tmp_path):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(module, "_QUOTA", tmp_path / "none")
    assert 1 <= threads() <= len(processors())


def test_waiting_is_short_unless_the_user_says_otherwise():
    ours: dict[str, str] = {}
    wait_briefly(ours)
    assert 0 < int(ours["GOMP_SPINCOUNT"]) < 300_000
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        theirs = {name: "their word"}
        wait_briefly(theirs)
        assert theirs == {name: "their word"}


def test_the_command_line_sets_it_before_a_runtime_is_there():
    program = (
        "import json, os, sys\n"
        "from hornbook import cli\n"
        "assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "sys.argv = ['hornbook', '--version']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(os.environ.get('GOMP_SPINCOUNT')))\n"
    )
    known = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in known}
    out = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert int(json.loads(out.stdout.splitlines()[-1])) > 0


@pytest.fixture
def busy(monkeypatch):
    """Others use the machine; work takes the seconds that are set by the number of threads."""
    import torch

    took, now, before = {}, {"now": 0.0}, torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "slowness", lambda: 2.0)
    monkeypatch.setattr(module, "_ours", [])
    set_clock(monkeypatch, lambda: now["now"])
    torch.set_num_threads(2)

    def work():
        now["now"] += took[torch.get_num_threads()]

    yield took, work
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("one", "two", "found"), [(1.0, 3.0, 1), (1.0, 1.05, 1), (1.5, 1.0, 2), (1.0, 0.97, 1)]
)
def test_what_is_faster_now_computes(busy, one, two, found):
    import torch

    took, work = busy
    took |= {1: one, 2: two}
    assert faster(work, 2) == torch.get_num_threads() == found
    assert own() == 2  # a later run finds what there was before


def test_a_trial_that_would_take_too_long_is_not_made(busy):
    took, work = busy
    took |= {1: 10.0}  # with two threads any work would fail
    assert faster(work, 2, most_s=5.0) == 1


def test_nothing_is_tried_alone_or_against_the_users_word(busy, monkeypatch):
    took, work = busy  # any work would fail, as it is not known how long it takes
    monkeypatch.setattr(module, "slowness", lambda: 1.0)
    assert faster(work, 2) == 2
    monkeypatch.setattr(module, "slowness", lambda: 5.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert faster(work, 2) == 2
    assert not took
