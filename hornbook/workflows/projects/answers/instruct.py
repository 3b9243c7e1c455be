"""Learning to answer from pairs found in the documents of a corpus: rows for a tuning like any.

Answers of held-out documents are never trained on; the loss on them before and after is what the
tuning is worth.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from hornbook.core.claims import Claim
from hornbook.core.files import write_text
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import Corpus
from hornbook.datasets.split import NothingToLearn
from hornbook.training.forgetting import GENERAL
from hornbook.workflows.projects.answers.mined import MinedPair, pairs
from hornbook.workflows.projects.answers.project import Answers

_TRAIN, _HELD_OUT, _GENERAL = "train.jsonl", "held-out.jsonl", "general.txt"
_MOST, _MOST_HELD_OUT, _FEWEST = 1500, 150, 20


def mined(corpus: Corpus, model: Path, folder: Path) -> Answers:
    """Tune `model` on the corpus's own questions and answers, which are written to `folder`.

    What it forgets is told by the held-out text. Raises NothingToLearn for too few pairs.
    """

    def build(aside: Path) -> None:
        train, held_out = (
            pairs(corpus.documents("train"), _MOST),
            pairs(corpus.documents("validation"), _MOST_HELD_OUT),
        )
        if len(train) < _FEWEST or not held_out:
            raise NothingToLearn(f"only {len(train)} titles with a paragraph found.")
        write_text(aside / _TRAIN, _rows(train))
        write_text(aside / _HELD_OUT, _rows(held_out))
        write_text(aside / _GENERAL, "\n\n".join(corpus.texts("validation"))[:GENERAL])

    claim = Claim("quickstart: questions", (corpus.folder,))
    run_stage(folder, claim, {"stage": "questions-1", "corpus": corpus.fingerprint}, build)
    return Answers(model, folder / _TRAIN, folder / _GENERAL, folder / _HELD_OUT)


def _rows(found: Sequence[MinedPair]) -> str:
    rows = (
        {"prompt": pair.question, "completion": pair.answer, "document": pair.document}
        for pair in found
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
