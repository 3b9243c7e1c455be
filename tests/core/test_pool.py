"""Work in processes: an error is told when nothing of the work goes on any more."""

import os
import signal
import time
from pathlib import Path

import pytest

from hornbook.core.errors import HornbookError
from hornbook.core.pool import Local


def write_late(path):
    """Fail at once without a path; else write into it after a while."""
    if path is None:
        raise ValueError("no path")
    time.sleep(1)
    Path(path).write_text("late")


def process(item):
    return os.getpid()


def killed_once(item):
    """Of the first that finds no mark, the process is killed, as by a system without memory."""
    number, mark = item
    if number == 2 and mark is not None and not Path(mark).exists():
        Path(mark).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_always(item):
    os.kill(os.getpid(), signal.SIGKILL)


def test_after_an_error_nothing_is_written_any_more_and_work_goes_on(tmp_path):
    runner = Local(2)
    assert os.getpid() not in set(runner.map(process, range(4)))
    with pytest.raises(ValueError, match="no path"):
        list(runner.map(write_late, [None, str(tmp_path / "a"), None, str(tmp_path / "b")]))
    there = set(tmp_path.iterdir())
    time.sleep(1.5)
    assert set(tmp_path.iterdir()) == there
    assert len(list(runner.map(process, range(4)))) == 4


def test_processes_stay_for_later_work():
    runner = Local(2)
    first = set(runner.map(process, range(20)))
    assert set(runner.map(process, range(20))) <= first or len(first) < 2


@pytest.mark.slow
def test_what_a_killed_process_had_begun_is_done_anew(tmp_path):
    items = [(number, str(tmp_path / "mark")) for number in range(6)]
    assert list(Local(2).map(killed_once, items)) == list(range(6))
    assert (tmp_path / "mark").exists()


@pytest.mark.slow
def test_work_that_kills_every_process_is_given_up_with_the_reason():
    with pytest.raises(HornbookError, match="was killed 4 times"):
        list(Local(2).map(killed_always, range(4)))
