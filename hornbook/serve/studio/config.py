"""What the studio is told at its start, and what its pages share."""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from hornbook.core.config import Config
from hornbook.serve.studio.jobs import Jobs
from hornbook.serve.studio.uploads import Uploads
from hornbook.serve.studio.work_folder import WorkFolder


class StudioConfig(Config):
    """folder: where runs are found and begun. indexes: of documents, besides those in the folder.

    upload_bytes, upload_files: of all that is uploaded for one run.
    """

    folder: Path
    indexes: tuple[Path, ...] = ()
    upload_bytes: int = 2 * 2**30
    upload_files: int = 10_000


class StudioState:
    """config: of the start. work: what lies in the work folder. jobs: processes that were begun.
    uploads: files that were brought."""

    def __init__(self, config: StudioConfig) -> None:
        self.config = config
        self.jobs = Jobs(config.folder)
        self.work = WorkFolder(config.folder, self.jobs)
        self.uploads = Uploads(config.folder, config.upload_bytes, config.upload_files)


def _studio_of(request: Request) -> StudioState:
    found: StudioState = request.app.state.studio
    return found


Studio = Annotated[StudioState, Depends(_studio_of)]
"""A parameter of a route that gets it."""
