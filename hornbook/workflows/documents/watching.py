"""An index that follows its sources: looked at again and again until somebody stops it."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from hornbook.core.progress import Progress
from hornbook.retrieve.lock import WrittenElsewhere
from hornbook.workflows.documents.found import KeptSources, files_now, source_of
from hornbook.workflows.documents.indexing import IndexReport, IndexRequest, make_index

_EVERY_S = 2.0


def keep_up(
    request: IndexRequest,
    folder: Path,
    progress: Progress,
    tell: Callable[[IndexReport], None],
    every_s: float = _EVERY_S,
) -> None:
    """Take every change of the sources over, until interrupted. tell: of each run that changed
    something. While another process writes the index, changes wait for it to end."""
    again = request._replace(sources=(), remove=())
    progress.say("Watching; stop with Ctrl-C.")
    before: dict[str, str] = {}  # what changed since the run before is taken over at the first look
    while True:
        time.sleep(every_s)
        now = _stamps(folder)
        if now == before:
            continue
        with contextlib.suppress(WrittenElsewhere):
            report = make_index(again, folder, Progress(quiet=True))
            if report.read or report.moved or report.removed:
                tell(report)
            before = now


def _stamps(folder: Path) -> dict[str, str]:
    """What tells a change, by path. A file that is too young to tell is looked at again."""
    places, excluded = KeptSources.in_folder(folder)
    sources = [source_of(place) for place in places]
    found = files_now(sources, places, excluded, lambda path: None)
    return {file.path: file.stamp or f"{time.monotonic()}" for file in found}
