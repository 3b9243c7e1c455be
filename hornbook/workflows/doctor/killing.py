"""A run that is really killed: begun in another process, ended by SIGKILL, gone on with here."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.core.files import write_json
from hornbook.core.isolation import python, start_beside
from hornbook.training.checkpoint import checkpoints, load_checkpoint
from hornbook.training.loop import train
from hornbook.workflows.doctor.child import DONE, ORDER, SOCKETS, STEPS
from hornbook.workflows.doctor.subject import Subject, weights_kept
from hornbook.workflows.runs import folder as layout

_WAITING_S = 45.0
_LOOKING_S = 0.02
_SAID = "child.log"
_SHOWN = 300


class Killed(NamedTuple):
    """What became of the process. saved: whether it had written a checkpoint when it was killed.
    said: its last words, where it ended by itself. sockets: what it opened."""

    saved: bool
    said: str
    sockets: list[str]


def killed(subject: Subject) -> Killed:
    """Begin what is examined in a process of its own, and kill it; done once."""
    if "killed" not in subject.facts:
        subject.facts["killed"] = _kill(subject)
    found: Killed = subject.facts["killed"]
    return found


def _kill(subject: Subject) -> Killed:
    work = subject.work
    if subject.problem is not None:
        assert subject.recipe is not None
        subject.small()
        subject.recipe.save(work)
    write_json(work / ORDER, _order(subject))
    found: set[str] = set()
    with (work / _SAID).open("wb") as said:
        began, command = time.monotonic(), python("hornbook.workflows.doctor.child", str(work))
        with start_beside(command, said, {}) as child:
            while child.poll() is None and not _is_done(work):
                found.update(_open_sockets(child.pid))
                if time.monotonic() - began > _WAITING_S:
                    break
                time.sleep(_LOOKING_S)
            ended = child.poll()
            child.kill()
    log = work / SOCKETS
    if log.is_file():
        lines = log.read_text(encoding="utf-8").split("\n")
        found.update(" ".join(json.loads(line)) for line in lines if line)
    last = (work / _SAID).read_text(encoding="utf-8", errors="replace").strip()
    return Killed(_is_done(work), last[-_SHOWN:] if ended else "", sorted(found))


def _order(subject: Subject) -> dict[str, Any]:
    problem = subject.problem
    return {
        "model": str((subject.model or subject.linear or Path()).absolute())
        if problem is None
        else None,
        "kind": subject.project.kind if subject.project else None,
        "size": problem.size if problem else None,
        "threads": torch.get_num_threads(),
        "light": subject.light > 1,
    }


def _is_done(work: Path) -> bool:
    return bool(checkpoints(work / layout.CHECKPOINTS)) or (work / DONE).is_file()


def _open_sockets(process: int) -> set[str]:
    """Network sockets that a process has open, whoever in it opened them; of Linux only."""
    tables = ("tcp", "tcp6", "udp", "udp6")
    try:
        links = [str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()]
        numbers = {link[8:-1] for link in links if link.startswith("socket:[")}
        if not numbers:
            return set()
        return {
            f"{table} {columns[2]}"
            for table in tables
            for line in Path(f"/proc/{process}/net/{table}").read_text().split("\n")[1:]
            if len(columns := line.split()) > 9 and columns[9] in numbers
        }
    except OSError:
        return set()


def apart_after_resuming(subject: Subject) -> float:
    """The largest difference of a weight between a run that was killed and gone on with, and one
    that was left alone. Raises HornbookError where the checkpoint cannot be read."""
    problem = subject.problem
    assert problem is not None
    loop = problem.loop.model_copy(update={"steps": STEPS})
    with weights_kept(problem):
        state = problem.begin()
        train(state, problem.objective, problem.batches, loop)
        straight = _moving(problem.model)
    with weights_kept(problem):
        state = problem.begin()
        load_checkpoint(subject.work / layout.CHECKPOINTS, state, lambda line: None)
        train(state, problem.objective, problem.batches, loop)
        resumed = _moving(problem.model)
    return max(float((straight[name] - resumed[name]).abs().max()) for name in straight)


def _moving(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: weight.detach().float().cpu().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
