"""Drills of a run by two processes: one of them is killed, and what started them."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import read_json
from hornbook.core.isolation import python, start_beside
from hornbook.core.yaml_text import write_yaml
from hornbook.training.checkpoint import checkpoints
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, faulty, sound
from hornbook.workflows.doctor.drills import drill
from hornbook.workflows.doctor.drills.material import QUIET, corpus, text_values
from hornbook.workflows.doctor.subject import Subject
from hornbook.workflows.projects import resume
from hornbook.workflows.runs import folder as layout

_REPORT = "Report it, with what was found."
_TOKENS, _SAVED = 60_000, 3
"""Of the run, which is long enough to be killed; checkpoints after which it is."""
_PATIENCE_S = 60.0


@drill("rank", "One of the processes of a run that is killed")
def rank(subject: Subject) -> Diagnosis:
    """The others notice it and end; one process goes on from the last checkpoint."""
    return _killed(subject.work / "rank", lambda launcher, workers: workers[-1])


@drill("launcher", "The launcher of a run by several processes that is killed")
def launcher(subject: Subject) -> Diagnosis:
    """The processes save all and leave."""
    return _killed(subject.work / "launcher", lambda launcher, workers: launcher)


@drill("saving", "One of the processes of a run that is killed while a checkpoint is written")
def saving(subject: Subject) -> Diagnosis:
    """All write their parts of it while they train; nothing of it is taken for a checkpoint."""
    return _killed(subject.work / "saving", lambda launcher, workers: workers[0], half_made=True)


def _killed(work: Path, choose: Any, half_made: bool = False) -> Diagnosis:
    """Kill what is chosen of a run by two, and go on with one. half_made: in shards, and while a
    checkpoint is written."""
    if sys.platform != "linux":
        return beside_the_point("who started which process is told by Linux only")
    with _training(work, shard=half_made) as (child, run):
        folder = run / layout.CHECKPOINTS
        saved = _wait(lambda: len(checkpoints(folder)) >= 2, child)
        workers = _children(child.pid)
        if not saved or len(workers) != 2:
            return faulty(f"two processes did not begin: {_said(work)}", _REPORT)
        if half_made:
            _wait(lambda: _half_made(folder), child, pause_s=0.0)
        os.kill(choose(child.pid, workers), signal.SIGKILL)
        if not _wait(lambda: not any(map(_lives, (child.pid, *workers))), None):
            return faulty("the others did not end", _REPORT)
    kept, left = checkpoints(folder), _half_made(folder)
    saved_at = read_json(kept[-1] / "state.json")["step"]
    found = resume(run, QUIET)
    if found["processes"] != 1 or layout.is_finished(run) is False:
        return faulty("one process did not finish it", _REPORT)
    if _half_made(folder):
        return faulty("half a checkpoint was left behind", _REPORT)
    steps = found["steps"]
    if left:
        return sound(
            "they ended; half a checkpoint was cleared away, and one process went on from step "
            f"{saved_at} of {steps}"
        )
    return sound(f"they ended; one process went on from step {saved_at} of {steps}")


def _half_made(folder: Path) -> bool:
    """Whether a checkpoint is being written, or was when its process was killed."""
    return any(folder.glob(".step-*.partial"))


@contextlib.contextmanager
def _training(work: Path, shard: bool) -> Iterator[tuple[Any, Path]]:
    """A run by two processes, and its folder."""
    source, run = corpus(work), work / "run"
    recipe = work / "recipe.yaml"
    recipe.write_text(write_yaml(text_values(tokens=_TOKENS, shard=shard)), encoding="utf-8")
    command = python(
        "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hornbook",
        "pretrain", "--corpus", str(source.folder), "--out", str(run), "--recipe", str(recipe),
    )  # fmt: skip
    more = {"OMP_NUM_THREADS": "1"}
    with (work / "said").open("wb") as said, start_beside(command, said, more) as child:
        try:
            yield child, run
        finally:
            for pid in (*_children(child.pid), child.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> Sequence[int]:
    """The processes that a process started."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))
    except OSError:
        return []


def _lives(pid: int) -> bool:
    """Whether a process computes still: one that has ended may wait to be asked about."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] != "Z"


def _wait(until: Any, child: Any, pause_s: float = 0.02) -> bool:
    """Whether something comes true while the child lives, within patience."""
    began = time.monotonic()
    while not until():
        if time.monotonic() - began > _PATIENCE_S or (child and child.poll() is not None):
            return False
        time.sleep(pause_s)
    return True


def _said(work: Path) -> str:
    lines = (work / "said").read_text("utf-8", errors="replace").strip().split("\n")
    return " / ".join(lines[-3:])
