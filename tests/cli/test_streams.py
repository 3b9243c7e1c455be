"""Real processes: readers that go away, full disks behind stdout, Ctrl-C before training."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from tests.tiny import slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    text = tmp_path_factory.mktemp("text")
    (text / "a.txt").write_text("".join(f"Line {i} of {i * i}.\n" for i in range(500)))
    return build([text], tmp_path_factory.mktemp("made") / "corpus", progress=Progress(True)).folder


def start(*arguments, **options):
    command = [sys.executable, "-m", "hornbook", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def test_a_reader_that_went_away_is_no_error(corpus):
    process = start("corpus", "report", corpus, stdout=subprocess.PIPE)
    process.stdout.close()
    err = process.communicate(timeout=120)[1]
    assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_stdout_is_one_line(corpus):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start("corpus", "report", corpus, "--json", stdout=full)
        err = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert err.count("\n") == 1 and "No space left" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGINT)])
def test_stopped_while_reading_leaves_nothing_half_made(tmp_path, number):
    (tmp_path / "text").mkdir()
    lines = "".join(f"Line {i} of {i * i}.\n" for i in range(2000))
    for i in range(600):
        (tmp_path / "text" / f"{i}.txt").write_text(f"{i}\n{lines}")
    process = start("corpus", "build", tmp_path / "text", "--out", tmp_path / "corpus")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".corpus.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    err = process.communicate(timeout=120)[1]
    assert (process.returncode, err) == (
        128 + number,
        "Interrupted. What was finished is kept; the same command goes on from there.\n",
    )
    # A stage that was finished before the signal came is kept, hidden; nothing half-made is.
    assert {path.name for path in tmp_path.iterdir()} <= {"text", ".corpus.stages"}
    assert not list(tmp_path.rglob("*.partial"))
