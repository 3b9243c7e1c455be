"""The main job: from text to a trained, measured, talking model and a report, in one go.

Calls corpus, index, pretraining, instruction tuning, a question to the index and the report in
order; each reuses what is unchanged from an earlier run. Computes nothing itself.
"""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.folders import entering
from hornbook.core.lines import first_line
from hornbook.core.progress import Progress
from hornbook.corpus.build import build, places_of
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.document_files import DOCUMENTS
from hornbook.datasets.split import NothingToLearn
from hornbook.workflows.documents.encoders import to_add_vectors
from hornbook.workflows.documents.first_answer import first_answer, index_text
from hornbook.workflows.projects.answers.instruct import mined
from hornbook.workflows.projects.answers.mined import pairs_of
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.report import write_report
from hornbook.workflows.projects.text.request import TextRequest
from hornbook.workflows.projects.text.samples import beginnings
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.foretell import beside, foretell
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Request, check_minutes
from hornbook.workflows.runs.report import Next
from hornbook.workflows.runs.run import run as train

DEFAULT_TEXT = "python-docs"

_TRAINING, _TUNING = (0.8, 0.85), (0.15, 0.985)
"""Of the minutes asked for, what training and learning to answer may take with all that belongs to
each, and until when they must be done."""
_RATE = 0.003
"""Of learning to answer: a model that has hardly learned bears what fresh weights do."""
_KEEP = 4
"""Checkpoints that stay, so that a sentence of the text has a biography."""
_LEAST_MINUTES = 0.5
_INDEXING = 0.05
"""Of the minutes, what reading the text into an index may take."""
_PARTS = ("corpus", "index", "pretrain", "questions", "instruct")
"""Folders of the results."""


def quickstart(
    text: Sequence[Path],
    minutes: float,
    out: Path,
    values: Mapping[str, Any],
    progress: Progress,
    began: float | None = None,
) -> dict[str, Any]:
    """Do it all into the folder `out`, in about `minutes`; returns the facts for --json.

    text: files and folders, or nothing for Python's own documentation. values: `seed`, and what
    else the recipe of the training shall say. began: when the minutes began (time.monotonic); now
    if None. A run that was stopped goes on where it was saved. Raises UsageError before any work
    for values that cannot be.
    """
    _check(minutes, values)
    clock = Clock.start(minutes, began)
    sources: list[str | Path] = list(text) or [DEFAULT_TEXT]
    with entering(out, Claim("quickstart", places_of(sources)), *_PARTS, layout.REPORT):
        return _quickstart(sources, clock, out, values, progress)


def foretell_quickstart(
    text: Sequence[Path],
    minutes: float,
    out: Path,
    values: Mapping[str, Any],
    progress: Progress,
    began: float | None = None,
) -> dict[str, Any]:
    """What the training of `quickstart` with the same arguments would choose, take and reach: see
    `runs.foretell`. Nothing of it stays."""
    _check(minutes, values)
    clock = Clock.start(minutes, began)
    with beside(out) as aside:
        sources: list[str | Path] = list(text) or [DEFAULT_TEXT]
        corpus = build(sources, aside / "corpus", progress=progress, place=out)
        project = Text(corpus)
        request = project.request(_training_values(clock, values))
        own = _own_clock(clock, request, _TRAINING)
        return foretell(project, out / "pretrain", request, progress=progress, clock=own)


def _check(minutes: float, values: Mapping[str, Any]) -> None:
    check_minutes(minutes, _LEAST_MINUTES)
    for name in (*TextRequest.length, "steps"):
        if name in values:
            raise UsageError(f"--set {name}: how long it all takes is said by --minutes.")


def _quickstart(
    sources: Sequence[str | Path],
    clock: Clock,
    out: Path,
    values: Mapping[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    progress.say("1. Reading the text")
    corpus = build(sources, out / "corpus", progress=progress, place=out)
    no_index = index_text(_texts(sources, out), out / "index", _INDEXING * clock.given_s, progress)
    progress.say("2. Training")
    run = out / "pretrain"
    project, trained = Text(corpus), _training_values(clock, values)
    result = _learned(project, run, trained, _TRAINING, clock, progress)
    progress.say("3. Learning to answer")
    tuned = _tuned(corpus, out, values["seed"], clock, progress)
    progress.say("4. Asking the text")
    asked = _asked(corpus, out / "index", no_index, progress)
    report = out / layout.REPORT
    following = _following(out, corpus, tuned is not None, asked)
    write_report(report, corpus, run, result, tuned, following, asked)
    progress.say(f"5. Done: {_verdict(result)}", f"The report: {report}", "What to try next:")
    for command, meaning, _ in following:
        progress.say(f"  {command}    # {meaning}")
    return {**result, "report": str(report), "asked": asked}


def _texts(sources: Sequence[str | Path], out: Path) -> list[str]:
    """What the index is made of: the user's own files, so that these are quoted; of a text that
    lies in none, the corpus."""
    own = [str(source) for source in sources]
    return [str(out / "corpus" / DOCUMENTS)] if own == [DEFAULT_TEXT] else own


def _asked(
    corpus: Corpus, index: Path, no_index: str | None, progress: Progress
) -> dict[str, Any] | None:
    """An answer from the text, with its place; None, and why, where there is nothing to ask."""
    why = no_index
    if why is None:
        questions = (pair.question for text in corpus.documents() for pair in pairs_of(text))
        found = first_answer(index, questions, Progress(quiet=True))
        if not found["refused"]:
            progress.say(f"{found['question']} {found['answer']}")
            return {"index": str(index), **found}
        why = "the text holds no title and no sentence long enough to be asked about"
    progress.say(f"Nothing to ask: {why}.")
    return None


def _tuned(
    corpus: Corpus, out: Path, seed: int, clock: Clock, progress: Progress
) -> dict[str, Any] | None:
    """The facts of the tuning; None, and why, where the text holds nothing to answer."""
    try:
        project = mined(corpus, out / "pretrain" / layout.MODEL, out / "questions")
        minutes = _minutes(clock, _TUNING)
        values = {"minutes": minutes, "method": "full", "rate": _RATE, "seed": seed}
        return _learned(project, out / "instruct", values, _TUNING, clock, progress)
    except NothingToLearn as nothing:
        progress.say(f"No instruction tuning: {nothing}")
        return None


def _learned(
    project: Project[Any, Any, Any],
    run: Path,
    values: dict[str, Any],
    span: tuple[float, float],
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """The facts of a run, which goes on where it was stopped. span: of the clock's minutes, what it
    may take and until when.

    Its request says the same minutes whenever it is asked for.
    """
    request = project.request(values)
    unfinished = (run / layout.RECIPE).is_file() and not layout.is_finished(run)
    own = _own_clock(clock, request, span)
    return train(project, run, request, resume=unfinished, progress=progress, clock=own)


def _training_values(clock: Clock, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the training on the text is asked for."""
    return {"minutes": _minutes(clock, _TRAINING), "keep": _KEEP, **values}


def _minutes(clock: Clock, span: tuple[float, float]) -> float:
    assert clock.minutes is not None
    return span[0] * clock.minutes


def _own_clock(clock: Clock, request: Request, span: tuple[float, float]) -> Clock:
    """Of a part of the work; where what came before took long, some of its minutes are over."""
    share, until = span
    over_s = share * clock.given_s - clock.left_s(until)
    return Clock.start(request.minutes, time.monotonic() - max(0.0, over_s))


def _verdict(result: dict[str, Any]) -> str:
    floors = ", ".join(f"{name} {value:.3f}" for name, value in result["floors"].items())
    return f"{result['bits_per_byte']['value']:.3f} bits per byte of held-out text ({floors})."


def _following(out: Path, corpus: Corpus, tuned: bool, asked: dict[str, Any] | None) -> list[Next]:
    """A few commands to try next."""
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
    if asked:
        ask = f"hornbook ask {asked['index']} {shlex.quote(asked['question'])}"
        found.append(
            (ask, "Ask the text itself; put your own question.", "向文本本身提问；换成你的问题。")
        )
        vectors = to_add_vectors(out / "index")
        found.append(
            (
                vectors,
                "Answers were found by words alone: let vectors find by meaning as well.",
                "目前只按词语查找；加上向量后也能按意思查找。",
            )
        )
    return found
