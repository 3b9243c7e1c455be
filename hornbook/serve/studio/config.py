"""What the studio is told at its start, and what its pages share."""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from hornbook.core.config import Config
from hornbook.serve.config import ServeConfig
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.studio.command_forms import CommandForm
from hornbook.serve.studio.jobs import Jobs
from hornbook.serve.studio.looks import BegunLooks
from hornbook.serve.studio.uploads import Uploads
from hornbook.serve.studio.work_folder import WorkFolder


class StudioConfig(Config):
    """folder: where runs are found and begun. indexes: of documents, besides those in the folder.

    upload_bytes, upload_files: of all that is uploaded for one run. commands: those that have a
    form, as the command line tells them.
    """

    folder: Path
    indexes: tuple[Path, ...] = ()
    upload_bytes: int = 2 * 2**30
    upload_files: int = 10_000
    commands: tuple[CommandForm, ...] = ()


class StudioState:
    """config: of the start. work: what lies in the work folder. jobs: processes that were begun.
    uploads: files that were brought. looks: at such files."""

    def __init__(self, config: StudioConfig) -> None:
        self.config = config
        self.jobs = Jobs(config.folder)
        self.work = WorkFolder(config.folder, self.jobs)
        self._documents: dict[Path, ServedDocuments] = {}
        self.looks = BegunLooks()
        self.uploads = Uploads(config.folder, config.upload_bytes, config.upload_files)

    def indexes(self) -> dict[str, Path]:
        """Indexes of documents: those of the start by their whole path, others by their place."""
        own = self.work.indexes()
        return {str(path): path for path in self.config.indexes} | {
            path.relative_to(self.config.folder).as_posix(): path for path in own
        }

    def documents(self, folder: Path, config: ServeConfig) -> ServedDocuments:
        """An index, ready to be asked."""
        if folder not in self._documents:
            self._documents[folder] = ServedDocuments(folder, config)
        return self._documents[folder]

    def close(self) -> None:
        """Let go of all indexes."""
        for documents in self._documents.values():
            documents.close()


def _studio_of(request: Request) -> StudioState:
    found: StudioState = request.app.state.studio
    return found


Studio = Annotated[StudioState, Depends(_studio_of)]
"""A parameter of a route that gets it."""
