"""The main job: from text to a trained, measured, talking model and a report, in one go.

Calls corpus, pretraining, instruction tuning and the report in order; each reuses what is
unchanged from an earlier run. Computes nothing itself.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.lines import first_line
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.workflows import run as layout
from hornbook.workflows.instruct import instruct
from hornbook.workflows.pretrain import Inputs, pretrain, request_of
from hornbook.workflows.report.page import Next
from hornbook.workflows.report.text import write_report
from hornbook.workflows.samples import beginnings

DEFAULT_TEXT = "python-docs"

_TRAINING_SHARE = 0.7
"""Of the minutes asked for; the rest goes to reading, floors, instruction tuning and the report."""
_LEAST_MINUTES = 0.5


def quickstart(
    text: Sequence[Path], minutes: float, out: Path, seed: int, progress: Progress
) -> dict[str, Any]:
    """Do it all into the folder `out`, in about `minutes`; returns the facts for --json.

    text: files and folders, or nothing for Python's own documentation. A run that was stopped goes
    on where it was saved. Raises UsageError before any work for values that cannot be.
    """
    layout.check_minutes(minutes, _LEAST_MINUTES)
    progress.say("1. Reading the text")
    corpus = build(list(text) or [DEFAULT_TEXT], out / "corpus", progress=progress, place=out)
    progress.say("2. Training")
    run = out / "pretrain"
    inputs = Inputs(corpus)
    request = request_of(inputs, {"minutes": minutes * _TRAINING_SHARE, "seed": seed})
    unfinished = (run / layout.RECIPE).is_file() and not (run / layout.RESULT).is_file()
    result = pretrain(inputs, run, request, resume=unfinished, progress=progress)
    progress.say("3. Learning to answer")
    tuned = instruct(corpus, run, out / "instruct", progress)
    report = out / layout.REPORT
    following = _following(out, corpus, tuned is not None)
    write_report(report, corpus, run, tuned, following)
    progress.say(f"4. Done: {_verdict(result)}", f"The report: {report}", "What to try next:")
    for command, meaning, _ in following:
        progress.say(f"  {command}    # {meaning}")
    return {**result, "report": str(report)}


def _verdict(result: dict[str, Any]) -> str:
    floors = ", ".join(f"{name} {value:.3f}" for name, value in result["floors"].items())
    return f"{result['bits_per_byte']['value']:.3f} bits per byte of held-out text ({floors})."


def _following(out: Path, corpus: Corpus, tuned: bool) -> list[Next]:
    """Three commands to try next."""
    prompt = first_line(beginnings(corpus, 1)[0])
    run, instruct = out / "pretrain", out / "instruct"
    longer = f"hornbook pretrain --corpus {out / 'corpus'} --minutes 30 --out {out / 'longer'}"
    found = [
        (
            f"hornbook generate {run} --prompt {shlex.quote(prompt)}",
            "Let the base model continue a text.",
            "让基础模型续写一段文字。",
        ),
        (longer, "Train longer on the same text.", "用同样的文本训练更久。"),
    ]
    if tuned:
        chat = f"hornbook chat {instruct}", "Talk to the tuned model.", "和微调后的模型对话。"
        found.insert(1, chat)
    return found
