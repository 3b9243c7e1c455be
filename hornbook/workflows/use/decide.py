"""`hornbook decide`: questions about a text, answered with probabilities by any model that can.

A decoder answers by likelihood, a classifier by its labels. With examples, whose answers are known,
a decoder's probabilities are as sure as it is right on them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import LabelledText, read_labelled
from hornbook.generate.decide import Question
from hornbook.training.calibrate import fit_temperature
from hornbook.workflows.open.asked import asks
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import kind_of, load
from hornbook.workflows.open.opened import wrong_kind

if TYPE_CHECKING:
    from hornbook.workflows.open.classifier import Classifier

_SCALE = re.compile(r"(\d{1,3})-(\d{1,3})")
_MOST_STEPS = 100


def scale(text: str) -> list[str]:
    """The numbers of a scale such as 1-5, as choices. Raises UsageError for what is none."""
    found = _SCALE.fullmatch(text.strip())
    low, high = map(int, found.groups()) if found else (0, 0)
    if not low < high <= low + _MOST_STEPS:
        raise UsageError(f"--score {text}: a scale is two numbers, as 1-5.")
    return [str(number) for number in range(low, high + 1)]


def open_judge(path: Path, device: str | None, progress: Progress) -> "Decoder | Classifier":
    """A model that decides. Raises UsageError for one of another kind."""
    kind = kind_of(path.expanduser())
    if "decide" not in kind.abilities:
        raise wrong_kind(path, kind, "decide")
    found: Any = load(path, kind, device=device, say=progress.say)
    opened: Decoder | Classifier = found
    return opened


def decide(
    judge: "Decoder | Classifier",
    text: str,
    questions: Sequence[str],
    choices: Sequence[str] | None,
    examples: Path | None = None,
) -> dict[str, Any]:
    """answers [{question, choice, probability, probabilities, calibration}] about a text.

    examples: a table of texts with the right choice of the one question, by which a decoder's
    probabilities are calibrated. Raises UsageError for what cannot be asked.
    """
    if not text.strip():
        raise UsageError("There is nothing to decide on: the text is empty.")
    if examples is None:
        return {"answers": [each.plain() for each in judge.decide(text, questions, choices)]}
    if not isinstance(judge, Decoder) or len(questions) != 1:
        raise UsageError("--examples go with a decoder and one question, whose answers they hold.")
    (question,) = asks(questions, choices)
    known = read_labelled(examples, classes=question.choices).rows
    temperature = fit(judge, question, known)
    found = judge.decider.decide(text, [question], temperature=temperature)
    return {
        "answers": [each.plain() for each in found],
        "examples": {"texts": len(known), "temperature": temperature},
    }


def fit(judge: Decoder, question: Question, examples: Sequence[LabelledText]) -> float:
    """The temperature that makes a decoder as sure as it is right on examples."""
    logs = [judge.decider.calibrated_logs(row.text, question) for row in examples]
    places = [question.choices.index(row.label) for row in examples]
    return fit_temperature(np.array(logs), np.array(places, np.int64))
