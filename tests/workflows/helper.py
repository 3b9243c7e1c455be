"""A process that helps others with runs, as a launcher would start it; `test_many` starts some.

Each argument is a run as JSON: its kind, data, values, folder, whether it goes on, and the port.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from hornbook.core.progress import Progress
from hornbook.workflows.projects import project_class, resume
from hornbook.workflows.runs.run import run


def take_part(asked):
    """In one run, by this process; returns the result where it leads."""
    os.environ["MASTER_PORT"] = str(asked["port"])
    folder, quiet = Path(asked["folder"]), Progress(quiet=True)
    if asked["resume"]:
        return resume(folder, quiet)
    project = project_class(asked["kind"])(**asked["data"])
    return run(project, folder, project.request(asked["values"]), progress=quiet)


if __name__ == "__main__":
    for asked in map(json.loads, sys.argv[1:]):
        with contextlib.suppress(SystemExit):
            take_part(asked)
