"""Training by many processes: the same samples, the same weights, the same files as by one."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hornbook.core.progress import Progress
from hornbook.training import loop
from hornbook.training.checkpoint import checkpoints
from hornbook.training.optimiser import Optimiser
from hornbook.workflows.projects import project_class, resume
from hornbook.workflows.runs.run import run
from tests.tiny import slow
from tests.workflows import test_life as life
from tests.workflows.helper import take_part

QUIET = Progress(quiet=True)
ALIKE = {"rtol": 0, "atol": 1e-5}
"""Weights in float32 by one process and by two: sums are added in another order."""
STILL = {"pairs": {"dropout": 0.0}}
"""Sizes of the plan without which what is drawn would be another for each process."""


def environment(rank, world, port):
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def asked_for(kind, data, values, folder, goes_on=False):
    """A run of `test_life` as JSON."""
    plain = json.loads(json.dumps(data, default=str))
    return {
        "kind": kind, "data": plain, "values": values, "folder": str(folder), "resume": goes_on,
        "port": free_port(),
    }  # fmt: skip


@contextlib.contextmanager
def helping(*asked):
    """A process that helps this one with runs; this one leads them."""
    command = [sys.executable, "-m", "tests.workflows.helper", *map(json.dumps, asked)]
    env = {**os.environ, **environment(1, 2, 0)}
    before = dict(os.environ)
    helper = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    os.environ.update(environment(0, 2, 0))
    try:
        yield helper
        _, said = helper.communicate(timeout=20)
        assert helper.returncode == 0, said
    finally:
        os.environ.clear()
        os.environ.update(before)
        helper.kill()
        helper.communicate()


def made(kind, folder):
    """The data and the values of a small run of a kind."""
    data, values = life.MAKERS[kind](folder)
    if kind in STILL:
        values["plan"] = {**values["plan"], **STILL[kind]}
    return data, values


def one(kind, data, values, folder):
    project = project_class(kind)(**data)
    return run(project, folder, project.request(values), progress=QUIET)


def assert_alike(folder, other):
    ours, theirs = life.weights(folder), life.weights(other)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(
            torch.from_numpy(ours[name]), torch.from_numpy(theirs[name]), **ALIKE
        )


@pytest.fixture
def few_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


OTHER_KINDS = slow(*(kind for kind in life.MAKERS if kind != "text"))


@pytest.mark.parametrize("kind", ["text", *OTHER_KINDS])
def test_two_processes_and_one_agree(kind, tmp_path, few_threads):
    """Whole on each process, and in shards."""
    data, values = made(kind, tmp_path)
    single = one(kind, data, values, tmp_path / "one")
    asked = [
        asked_for(kind, data, {**values, "shard": shard}, tmp_path / f"two-{shard}")
        for shard in (False, True)
    ]
    with helping(*asked):
        found = [take_part(each) for each in asked]
    for result, each in zip(found, asked, strict=True):
        assert result["steps"] == single["steps"] and result["processes"] == 2
        assert_alike(Path(each["folder"]), tmp_path / "one")


def seen(folder):
    """The steps that were logged, with their loss."""
    return {row["step"]: row["loss"] for row in life.rows(folder, "metrics.jsonl") if "loss" in row}


@pytest.mark.parametrize("shard", [False, *slow(True)])
def test_begun_by_two_and_gone_on_with_by_one_it_sees_the_same_samples(
    shard, tmp_path, few_threads, monkeypatch
):
    """The leader dies in a step after a checkpoint; its helper ends, and one process goes on."""
    data, values = made("text", tmp_path)
    single = one("text", data, values, tmp_path / "one")
    asked = asked_for("text", data, {**values, "shard": shard}, tmp_path / "two")
    finish, steps = Optimiser.finish_gradient, [0]

    def dies(self, count):
        steps[0] += (tmp_path / "two" / "recipe.yaml").is_file()
        if steps[0] == 6:
            raise KeyError("killed")
        return finish(self, count)

    with monkeypatch.context() as broken, helping(asked):
        broken.setattr(Optimiser, "finish_gradient", dies)
        with pytest.raises(KeyError, match="killed"):
            take_part(asked)
    assert not (tmp_path / "two" / "result.json").exists()
    assert checkpoints(tmp_path / "two" / "checkpoints")
    found = resume(tmp_path / "two", QUIET)
    assert found["processes"] == 1 and found["steps"] == single["steps"]
    assert seen(tmp_path / "two") == pytest.approx(seen(tmp_path / "one"), abs=1e-5)
    assert_alike(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
def test_begun_by_one_it_goes_on_by_two(tmp_path, few_threads, monkeypatch):
    """In shards, of what was written whole."""
    data, values = made("text", tmp_path)
    values["shard"] = True  # nothing for one process
    one("text", data, values, tmp_path / "one")
    gradient = loop.gradient

    def dies(*arguments):
        if checkpoints(tmp_path / "two" / "checkpoints"):
            raise MemoryError("killed")
        return gradient(*arguments)

    with monkeypatch.context() as broken, pytest.raises(MemoryError):
        broken.setattr(loop, "gradient", dies)
        one("text", data, values, tmp_path / "two")
    asked = asked_for("text", data, values, tmp_path / "two", goes_on=True)
    with helping(asked):
        assert take_part(asked)["processes"] == 2
    assert_alike(tmp_path / "two", tmp_path / "one")
