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


def _killed(work: Path, choose: Any) -> Diagnosis:
    """Kill what is chosen of a run by two, and go on with one."""
    if sys.platform != "linux":
        return beside_the_point("who started which process is told by Linux only")
    with _training(work) as (child, run):
        saved = _wait(lambda: len(checkpoints(run / layout.CHECKPOINTS)) >= 2, child)
        workers = _children(child.pid)
        if not saved or len(workers) != 2:
            return faulty(f"two processes did not begin: {_said(work)}", _REPORT)
        os.kill(choose(child.pid, workers), signal.SIGKILL)
        if not _wait(lambda: not any(map(_lives, (child.pid, *workers))), None):
            return faulty("the others did not end", _REPORT)
    kept = checkpoints(run / layout.CHECKPOINTS)
    saved_at = read_json(kept[-1] / "state.json")["step"]
    found = resume(run, QUIET)
    if found["processes"] != 1 or layout.is_finished(run) is False:
        return faulty("one process did not finish it", _REPORT)
    return sound(f"they ended; one process went on from step {saved_at} of {found['steps']}")


@contextlib.contextmanager
def _training(work: Path) -> Iterator[tuple[Any, Path]]:
    """A run by two processes, and its folder."""
    source, run = corpus(work), work / "run"
    recipe = work / "recipe.yaml"
    recipe.write_text(write_yaml(text_values(tokens=_TOKENS)), encoding="utf-8")
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


def _wait(until: Any, child: Any) -> bool:
    """Whether something comes true while the child lives, within patience."""
    began = time.monotonic()
    while not until():
        if time.monotonic() - began > _PATIENCE_S or (child and child.poll() is not None):
            return False
        time.sleep(0.02)
    return True


def _said(work: Path) -> str:
    lines = (work / "said").read_text("utf-8", errors="replace").strip().split("\n")
    return " / ".join(lines[-3:])
