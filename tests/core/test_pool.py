"""Work in processes: an error is told when nothing of the work goes on any more."""

import os
import time
from pathlib import Path

import pytest

from hornbook.core.pool import Local


def write_late(path):
    """Fail at once without a path; else write into it after a while."""
    if path is None:
        raise ValueError("no path")
    time.sleep(1)
    Path(path).write_text("late")


def process(item):
    return os.getpid()


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
