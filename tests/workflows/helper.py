"""A process of runs by many, as a launcher would start it; `test_many` starts some.

Each argument is a run as JSON: its kind, data, values, folder, whether it goes on, the port, and
what befalls this process: the step in which it "dies" as by kill -9, the checkpoint that it dies
"writing", or that its disk is too "full" for.
"""

import contextlib
import errno
import json
import os
import sys
from functools import partial
from pathlib import Path

from hornbook.core import ranks
from hornbook.core.progress import Progress
from hornbook.training import checkpoint
from hornbook.training.optimiser import Optimiser
from hornbook.training.parallel.hands import Hands
from hornbook.workflows.projects import project_class, resume
from hornbook.workflows.runs.run import run


def take_part(asked):
    """In one run, by this process; returns the result where it leads."""
    os.environ["MASTER_PORT"] = str(asked["port"])
    folder, quiet = Path(asked["folder"]), Progress(quiet=True)
    befall(asked["befalls"], folder)
    if ranks.is_helper():
        note_steps(folder.with_name(f"{folder.name}.steps"))
    if asked["resume"]:
        return resume(folder, quiet)
    project = project_class(asked["kind"])(**asked["data"])
    return run(project, folder, project.request(asked["values"]), progress=quiet)


def befall(what, folder):
    """Steps count from when the recipe is settled. Of shards every process writes its part; what is
    whole is written by the leader, and its counters by the leader in any case."""
    die = partial(os._exit, 9)
    if step := what.get("dies"):
        at(step, Optimiser, "finish_gradient", die, (folder / "recipe.yaml").is_file)
    if number := what.get("writing"):
        at(number, *writing(), die)
    if number := what.get("full"):
        at(number, *writing(), full)


def writing():
    """What writes a checkpoint in this process: an object, and the name of its function."""
    if not ranks.is_helper():
        return checkpoint, "write_json"
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

    return HuggingFaceStorageWriter, "write_data"


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "parts")


def at(number, owner, name, happens, counts=lambda: True):
    """Let something happen at a call of a function, of those that count."""
    function, calls = getattr(owner, name), [0]

    def called(*given, **named):
        calls[0] += counts()
        if calls[0] == number:
            happens()
        return function(*given, **named)

    setattr(owner, name, called)


def note_steps(file):
    """Write down the step that this process came to."""
    step = Hands.step

    def noted(self, *given, **named):
        try:
            step(self, *given, **named)
        finally:
            file.write_text(str(self.state.step))

    Hands.step = noted


if __name__ == "__main__":
    for asked in map(json.loads, sys.argv[1:]):
        with contextlib.suppress(SystemExit):
            take_part(asked)
