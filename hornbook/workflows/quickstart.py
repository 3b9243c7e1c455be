"""The main job: from text to a trained, measured, talking model and a report, in one go.

Calls corpus, pretraining, instruction tuning and the report in order; each reuses what is
unchanged from an earlier run. Computes nothing itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.workflows import run as layout
from hornbook.workflows.instruct import instruct
from hornbook.workflows.pretrain import pretrain, request_of

DEFAULT_TEXT = "python-docs"

_TRAINING_SHARE = 0.7
"""Of the minutes asked for; the rest goes to reading, floors, instruction tuning and the report."""


def quickstart(
    text: Sequence[Path], minutes: float, out: Path, seed: int, progress: Progress
) -> dict[str, Any]:
    """Do it all into the folder `out`, in about `minutes`; returns the facts for --json.

    text: files and folders, or nothing for Python's own documentation. A run that was stopped goes
    on where it was saved. Raises UsageError before any work for values that cannot be.
    """
    if minutes < 0.5:
        raise UsageError(f"--minutes {minutes:g} is too short to learn anything; the least is 0.5.")
    progress.say("1. Reading the text")
    corpus = build(list(text) or [DEFAULT_TEXT], out / "corpus", progress=progress)
    progress.say("2. Training")
    run = out / "pretrain"
    request = request_of(corpus, None, {"minutes": minutes * _TRAINING_SHARE, "seed": seed})
    unfinished = (run / layout.RECIPE).is_file() and not (run / layout.RESULT).is_file()
    result = pretrain(corpus, run, request, resume=unfinished, progress=progress)
    progress.say("3. Learning to answer")
    tuned = instruct(corpus, run, out / "instruct", progress)
    facts = {"pretrain": result, "instruct": tuned}
    progress.say(str({k: v for k, v in result.items() if k != "samples"}))
    return {**result, **facts}
