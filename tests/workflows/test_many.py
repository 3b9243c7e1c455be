"""Training by many processes: the same samples, the same weights, the same files as by one."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hornbook.core.clock import OVERTIME
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.core.threads import slowness
from hornbook.training import checkpoint, loop
from hornbook.training.checkpoint import checkpoints
from hornbook.training.parallel import team
from hornbook.training.parallel.hands import Hands
from hornbook.training.parallel.parts import has_parts
from hornbook.workflows.projects import project_class, resume
from hornbook.workflows.runs import settle
from hornbook.workflows.runs.run import run
from tests.tiny import slow
from tests.workflows import test_life as life
from tests.workflows.helper import take_part
from tests.workflows.makers import MAKERS

QUIET = Progress(quiet=True)
ROOT = Path(__file__).parents[2]
_PATIENCE_S = 300
"""A hang must end, and load fails no test."""
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"
ALIKE = 1e-5
"""Weights in float32 by one process and by two: sums are added in another order."""
STILL = {"pairs": {"dropout": 0.0}}
"""Sizes of the plan without which what is drawn would be another for each process."""


def environment(rank, world, port):
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": LOOPBACK,
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
        "port": free_port(), "befalls": {},
    }  # fmt: skip


def started(rank, *asked):
    """A process that takes part in runs."""
    command = [sys.executable, "-m", "tests.workflows.helper", *map(json.dumps, asked)]
    env = {**os.environ, **environment(rank, 2, 0)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)


@contextlib.contextmanager
def helping(*asked):
    """A process that helps this one with runs; this one leads them."""
    before = dict(os.environ)
    with started(1, *asked) as helper:
        os.environ.update(environment(0, 2, 0))
        try:
            with contextlib.suppress(UsageError):  # it did not come, and says below why
                yield
            _, said = helper.communicate(timeout=_PATIENCE_S)
            assert helper.returncode == 0, said
        finally:
            os.environ.clear()
            os.environ.update(before)
            helper.kill()


def made(kind, folder):
    """The data and the values of a small run of a kind."""
    data, values = MAKERS[kind](folder)
    if kind in STILL:
        values["plan"] = {**values["plan"], **STILL[kind]}
    if "steps" in values:
        values["steps"] = 6  # in more, rounding grows
    return data, values


def one(kind, data, values, folder):
    project = project_class(kind)(**data)
    return run(project, folder, project.request(values), progress=QUIET)


def assert_alike(folder, other):
    ours, theirs = life.weights(folder), life.weights(other)
    assert ours.keys() == theirs.keys()
    apart = {name: float(abs(ours[name] - theirs[name]).max()) for name in theirs}
    assert not {name: most for name, most in apart.items() if most > ALIKE and _counts(name[1])}


def _counts(name):
    """A bias of keys changes no attention: its gradient is rounding, which AdamW makes large."""
    return not name.endswith(("k_proj.bias", "key.bias"))


@pytest.fixture(autouse=True)
def soon_there(monkeypatch):
    """A helper that ended before it came is no hang."""
    monkeypatch.setattr(team, "_GATHERING", timedelta(seconds=100))


@pytest.fixture
def few_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


ALONE = {"rewards"}
"""Kinds that one process trains, and say so."""
KINDS = ("text", *sorted(MAKERS.keys() - {"text"} - ALONE))
ONE_AND_TWO = [
    ("text", False),
    *slow(*itertools.islice(itertools.product(KINDS, (False, True)), 1, None)),
]


def test_what_one_process_does_is_refused_to_several(monkeypatch, tmp_path):
    data, values = MAKERS["rewards"](tmp_path)
    project = project_class("rewards")(**data)
    for name, value in environment(0, 2, 0).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--task reward is done by one process"):
        project.request(values)


@pytest.mark.parametrize(("kind", "shard"), ONE_AND_TWO)
def test_two_processes_and_one_agree(kind, shard, tmp_path, few_threads):
    """The model whole on each process, or in shards."""
    data, values = made(kind, tmp_path)
    single = one(kind, data, values, tmp_path / "one")
    asked = asked_for(kind, data, {**values, "shard": shard}, tmp_path / "two")
    with helping(asked):
        result = take_part(asked)
    assert result["steps"] == single["steps"] and result["processes"] == 2
    assert seen(tmp_path / "two") == pytest.approx(seen(tmp_path / "one"), abs=1e-5)
    assert_alike(tmp_path / "two", tmp_path / "one")


def seen(folder):
    """The steps that were logged, with their loss."""
    return {row["step"]: row["loss"] for row in life.rows(folder, "metrics.jsonl") if "loss" in row}


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
@pytest.mark.parametrize("who", [0, 1])
def test_begun_by_two_and_gone_on_with_by_one_it_sees_the_same_samples(
    who, shard, tmp_path, few_threads
):
    """One of them dies in a step after a checkpoint; the other one ends, and one goes on."""
    data, values = made("text", tmp_path)
    values["shard"] = shard
    single = one("text", data, values, tmp_path / "one")
    killed(who, {"dies": 6}, asked_for("text", data, values, tmp_path / "two"))
    assert checkpoints(tmp_path / "two" / "checkpoints")
    found = resume(tmp_path / "two", QUIET)
    assert found["processes"] == 1 and found["steps"] == single["steps"]
    assert seen(tmp_path / "two") == pytest.approx(seen(tmp_path / "one"), abs=1e-5)
    assert_alike(tmp_path / "two", tmp_path / "one")


def killed(who, by, asked):
    """A run of two of which one is killed; the other one notices it."""
    both = [started(rank, {**asked, "befalls": by if rank == who else {}}) for rank in (0, 1)]
    said = [each.communicate(timeout=_PATIENCE_S)[1] for each in both]
    assert both[who].returncode == 9
    assert both[1 - who].returncode == 1, said
    assert "ended without a word" in said[1 - who]
    assert not (Path(asked["folder"]) / "result.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("who", "shard"), [(0, False), (0, True), (1, True)])
def test_killed_while_it_writes_a_checkpoint_it_goes_on_from_the_one_before(
    who, shard, tmp_path, few_threads
):
    """A checkpoint is there when all of it is: nothing of the third is taken for one."""
    data, values = made("text", tmp_path)
    values["shard"] = shard
    single = one("text", data, values, tmp_path / "one")
    killed(who, {"writing": 3}, asked_for("text", data, values, tmp_path / "two"))
    there = checkpoints(tmp_path / "two" / "checkpoints")
    assert [path.name for path in there] == ["step-00000001", "step-00000002"]
    assert resume(tmp_path / "two", QUIET)["steps"] == single["steps"]
    assert_alike(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_a_checkpoint_is_written_while_training_goes_on(shard, tmp_path, few_threads, monkeypatch):
    """And holds the weights of its step all the same; the forecast has room for the copy."""
    data, values = made("text", tmp_path)
    values |= {"shard": shard, "keep": 3}
    single = one("text", data, values, tmp_path / "one")
    asked = asked_for("text", data, values, tmp_path / "two")
    write, step, forecast = checkpoint.write_json, Hands.step, settle.forecast
    taken, during, without = [threading.Event() for _ in range(single["steps"])], [], []

    def writes(path, facts):
        if path.parents[1].name == "checkpoints" and facts["step"] < single["steps"]:
            during.append(taken[facts["step"]].wait(timeout=30))
        write(path, facts)

    def takes(self, **given):
        step(self, **given)
        if (tmp_path / "two" / "recipe.yaml").is_file():
            taken[given["step"]].set()

    def foretells(*given, **named):
        found = forecast(*given, **named)
        without.append(found.peak_bytes)
        return found

    with monkeypatch.context() as watched, helping(asked):
        watched.setattr(checkpoint, "write_json", writes)
        watched.setattr(Hands, "step", takes)
        watched.setattr(settle, "forecast", foretells)
        copied = take_part(asked)["forecast"]["peak_bytes"] - without[0]
    assert len(during) > 3 and all(during)
    last = checkpoints(tmp_path / "one" / "checkpoints")[-1]
    held = sum(
        one.nbytes for file in last.glob("*.safetensors") for one in load_file(file).values()
    )
    assert copied == held if not shard else held / 2 <= copied < 0.7 * held
    assert_alike(tmp_path / "two", tmp_path / "one")
    kept = checkpoints(tmp_path / "one" / "kept")
    assert [path.name for path in checkpoints(tmp_path / "two" / "kept")] == [p.name for p in kept]
    for path in kept:
        ours, theirs = tensors(tmp_path / "two" / "kept" / path.name), tensors(path)
        apart = {name: float((ours[name] - theirs[name]).abs().max()) for name in theirs}
        assert not {name: most for name, most in apart.items() if most > ALIKE}


def tensors(folder):
    """The weights of a checkpoint, in whatever way they were written."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    if not has_parts(folder):
        return load_file(folder / "model.safetensors")
    found = {}
    reader = HuggingFaceStorageReader(str(folder / "parts"))
    for name, about in reader.read_metadata().state_dict_metadata.items():
        if name.startswith("weight:"):
            found[name] = torch.empty(about.size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        load(found, storage_reader=reader, no_dist=True)
    return {name.removeprefix("weight:"): tensor for name, tensor in found.items()}


@pytest.mark.slow
def test_a_disk_that_is_full_for_one_of_them_is_named(tmp_path, few_threads):
    """The helper's, at its second part of a checkpoint in shards; the first one is whole."""
    data, values = made("text", tmp_path)
    values["shard"] = True
    asked = asked_for("text", data, values, tmp_path / "two")
    with pytest.raises(HornbookError, match="full"), helping({**asked, "befalls": {"full": 2}}):
        take_part(asked)
    (there,) = checkpoints(tmp_path / "two" / "checkpoints")
    assert there.name == "step-00000001"
    assert resume(tmp_path / "two", QUIET)["processes"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_minutes_are_minutes_and_all_come_to_the_same_step(shard, tmp_path, few_threads):
    """One decides by its clock how many steps there are, and where they end."""
    data, values = made("text", tmp_path)
    values = {**values, "minutes": 0.3, "shard": shard}
    del values["tokens"]
    asked = asked_for("text", data, values, tmp_path / "two")
    before = slowness()
    with helping(asked):
        began = time.monotonic()
        result = take_part(asked)
        used = (time.monotonic() - began) / 60 / values["minutes"]
    assert result["processes"] == 2
    assert (tmp_path / "two.steps").read_text() == str(result["steps"])
    assert used < OVERTIME * max(1.0, before, slowness())


@pytest.mark.slow
def test_shards_are_computed_by_kernels_in_bfloat16(tmp_path, few_threads):
    """Which read the weights of a layer that was gathered, and must let go of them."""
    data, values = made("text", tmp_path)
    single = one("text", data, values, tmp_path / "one")
    asked = asked_for(
        "text", data, {**values, "dtype": "bfloat16", "shard": True}, tmp_path / "two"
    )
    with helping(asked):
        result = take_part(asked)
    score = "bits_per_byte"
    assert result[score]["value"] == pytest.approx(single[score]["value"], rel=0.03)


STARTED = """
import subprocess, sys, time
time.sleep(0.4)
look = "import time; from hornbook.core import ranks; now = time.monotonic(); "
look += "print(now - ranks.began(now))"
print(subprocess.check_output([sys.executable, "-c", look], text=True))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="who started a process is told by Linux")
@pytest.mark.parametrize(
    ("launcher", "machines", "counts"),
    [("torchrun", 1, True), ("something", 1, False), ("torchrun", 2, False)],
)
def test_the_clock_begins_with_the_launcher(launcher, machines, counts):
    env = {
        **os.environ, **environment(0, 2, 1), "LOCAL_WORLD_SIZE": str(2 // machines),
        "TORCHELASTIC_RESTART_COUNT": "0",
    }  # fmt: skip
    command = [sys.executable, "-c", STARTED, launcher]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert (float(done.stdout) > 0.4) == counts


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
