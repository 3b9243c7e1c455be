"""A process of runs by many, as a launcher would start it; `test_many` starts some.

Each argument is a run as JSON: its kind, data, values, folder, whether it goes on, the port, and
the step in which it dies as by kill -9.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from hornbook.core.progress import Progress
from hornbook.training.optimiser import Optimiser
from hornbook.workflows.projects import project_class, resume
from hornbook.workflows.runs.run import run


def take_part(asked):
    """In one run, by this process; returns the result where it leads."""
    os.environ["MASTER_PORT"] = str(asked["port"])
    if asked["dies"]:
        die_in(asked["dies"], Path(asked["folder"]) / "recipe.yaml")
    folder, quiet = Path(asked["folder"]), Progress(quiet=True)
    if asked["resume"]:
        return resume(folder, quiet)
    project = project_class(asked["kind"])(**asked["data"])
    return run(project, folder, project.request(asked["values"]), progress=quiet)


def die_in(step, recipe):
    """Of those after the recipe is settled."""
    finish, steps = Optimiser.finish_gradient, [0]

    def dies(self, count):
        steps[0] += recipe.is_file()
        if steps[0] == step:
            os._exit(9)
        return finish(self, count)

    Optimiser.finish_gradient = dies


if __name__ == "__main__":
    for asked in map(json.loads, sys.argv[1:]):
        with contextlib.suppress(SystemExit):
            take_part(asked)
