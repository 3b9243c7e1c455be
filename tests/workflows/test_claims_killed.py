"""A pass over claims that is killed in the middle of a training goes on with the same bits."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [
    *(sys.executable, "-m", "hornbook", "claims", "--only", "domain", "--minutes", "0.5"),
    *("--json", "--out"),
]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
STEPS = 5

pytestmark = pytest.mark.slow


def begun(out):
    return subprocess.Popen([*COMMAND, str(out)], stdout=-1, stderr=-1, env=ONE_THREAD)


def trained_steps(out):
    """Of the runs of a pass, by their folders."""
    logs = out.glob("x*/runs/x*/*/metrics.jsonl")
    return {log.parent: log.read_text().count('"train"') for log in logs}


def first_trial(out):
    (file,) = out.glob("x*/trials/domain/0.json")
    found = json.loads(file.read_text())
    return found["gains"], found["marks"]


def test_killed_and_gone_on_with(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    process = begun(killed)
    deadline = time.monotonic() + 300
    while len(trained_steps(killed)) < 2 or min(trained_steps(killed).values()) < STEPS:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(killed.glob("x*/trials/domain/*")) and not (killed / "result.json").exists()
    (finished,) = {run.parent for run in killed.glob("x*/runs/x*/*/result.json")}
    before = (finished / "metrics.jsonl").stat().st_mtime_ns
    for out in (killed, straight):
        process = begun(out)
        printed, said = process.communicate()
        assert process.returncode == 0, said
        assert json.loads(printed)["claims"][0]["seeds"] >= 1
    assert first_trial(killed) == first_trial(straight)
    after = (finished / "metrics.jsonl").stat().st_mtime_ns
    assert after == before, "what was finished is not done again"
