"""An index of a text and one cited answer from it, in the seconds that there are.

Questions are tried until the documents answer one; where nobody brings any, one is made of a
sentence. By words alone: the machine is busy training.
"""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.workflows.documents.ask import AskRequest, ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.encoders import NONE
from hornbook.workflows.documents.indexing import IndexRequest, make_index

_TRIED, _MADE = 20, 5
"""Questions that are tried, brought and made."""


def index_text(
    sources: Sequence[str], folder: Path, seconds: float, progress: Progress
) -> str | None:
    """Make an index of what can be read in time; why there is none, or None."""
    request = IndexRequest(tuple(sources), encoder=NONE, seconds=seconds)
    try:
        report = make_index(request, folder, Progress(quiet=True))
    except HornbookError as error:
        return str(error)
    if not report.passages:
        return "nothing could be read in the time"
    left = f"; {report.left:,} files are left for `hornbook index --out {folder}`"
    progress.say(
        f"{folder}: {report.documents:,} documents, {report.passages:,} passages"
        f"{left if report.left else ''}"
    )
    return None


def first_answer(folder: Path, questions: Iterable[str], progress: Progress) -> dict[str, Any]:
    """What `ask` says to the first question that the documents answer; `refused` where none is."""
    opened = OpenIndex(folder, progress, "words")
    with opened.index:
        brought = itertools.islice(questions, _TRIED)
        made = (one.question for one in opened.made(_MADE))
        found: dict[str, Any] = {"question": "", "refused": True}
        for question in itertools.chain(brought, made):
            found = ask(opened, question, AskRequest(quotes=1)).plain()
            if not found["refused"] and found["quotes"]:
                break
    return found
