"""Answers and refusals on people's questions: `python -m benchmarks.answers xquad.en cmrc2018`.

The paragraphs of a set of questions (HORNBOOK_DATA) become an index, and `evaluate --task answers`
asks its questions with all paragraphs, and with their own left out. Beside its figures stands how
many are refused rightly where 5 % are refused wrongly, with weights fitted to these questions by
folds (the weights in `hornbook.retrieve.refusal` are those of `--fit` on xquad.en and xquad.zh).
`--alone` makes an index of each paragraph alone, and asks it the questions of the next one, too.
`--half` asks those of one half of the paragraphs: what is chosen on one is reported on the other.
"""

import argparse
import itertools
import os
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import report
from hornbook.core.progress import Progress
from hornbook.evaluate.results import plain
from hornbook.evaluate.rows import read_rows
from hornbook.read.documents import Document, content_hash
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.refusal import FALSE_REFUSALS, fitted_weights, held_out_scores, scale
from hornbook.retrieve.writer import FoundFile, IndexWriter
from hornbook.workflows.documents.ask import AskRequest, ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.embedding import embed_index
from hornbook.workflows.documents.encoders import settle_encoder
from hornbook.workflows.documents.evaluate_answers import asked_twice, figures_of, metrics_of
from hornbook.workflows.documents.queries import JudgedQuestion, read_questions
from hornbook.workflows.documents.refusal import signs

SETS = {
    "cmrc2018": "qa_cmrc2018/cmrc2018_dev.json.gz",
    **{f"xquad.{code}": f"qa_xquad/xquad.{code}.json.gz" for code in ("en", "de", "es", "zh")},
}
QUIET = Progress(quiet=True)


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=["xquad.en", "xquad.zh"])
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--encoder", default="multilingual-e5-small", help="none for words alone")
    parser.add_argument("--fit", action="store_true", help="print the weights of these questions")
    parser.add_argument("--alone", action="store_true", help="an index of each paragraph")
    parser.add_argument(
        "--half", type=int, choices=(0, 1), help="of the paragraphs; all if not given"
    )
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    sides = []
    for name in asked.sets:
        file = Path(os.environ["HORNBOOK_DATA"]) / SETS[name]
        if asked.alone:
            found[name] = alone(file, asked)
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[name], answered, removed = measured(file, Path(folder), asked)
        mean, spread = scale(answered, removed)
        sides.append([(side - mean) / spread for side in (answered, removed)])
    if asked.fit:
        weights = fitted_weights(*(np.concatenate(side) for side in zip(*sides, strict=True)))
        found["weights"] = np.round(weights, 2).tolist()
    report(ours=found, peers={}, ratio=None, load=os.getloadavg())


def measured(file: Path, folder: Path, asked: Any) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The figures, and the signs of the questions with their paragraph and without it."""
    fill(dict.fromkeys(row["context"] for row in read_rows(file)), folder, asked.encoder)
    opened = OpenIndex(folder, QUIET)
    with opened.index:
        questions = read_questions(file, opened.index)
        random.Random(1).shuffle(questions)
        questions = [one for one in questions if asked.half in (None, _half(one))]
        rows = asked_twice(opened, questions[: asked.questions], AskRequest())
        figures: dict[str, Any] = dict(
            plain(metrics_of([figures_of(opened, row) for row in rows], 0))
        )
        sides = [_signs(opened, row.question) for row in rows]
    answered, removed = (np.array(side) for side in zip(*sides, strict=True))
    figures |= {"refused_at_5_percent_by_folds": by_folds(answered, removed)}
    return figures, answered, removed


def _half(one: JudgedQuestion) -> int:
    """The half that the paragraph of a question is in."""
    return int(content_hash(one.context)[:8], 16) % 2


def _signs(opened: OpenIndex, one: JudgedQuestion) -> tuple[list[float], list[float]]:
    """What a question finds with its paragraph and without it."""

    def its(place: TextPlace, text: str) -> bool:
        return one.touches(place.document, text)

    there, gone = (opened.find(one.question, without) for without in (None, its))
    return signs(opened, one.question, there), signs(opened, one.question, gone)


def alone(file: Path, asked: Any) -> dict[str, Any]:
    """How many questions an index of one paragraph refuses: its own, and those of the next one."""
    refused: tuple[list[bool], list[bool]] = ([], [])
    several = itertools.groupby(read_rows(file), key=lambda row: row["context"])
    paragraphs = [(context, list(rows)) for context, rows in several]
    for (context, own), (_, other) in itertools.islice(
        itertools.pairwise(paragraphs), asked.questions // 5
    ):
        with tempfile.TemporaryDirectory() as folder:
            fill([context], Path(folder), asked.encoder)
            opened = OpenIndex(Path(folder), QUIET)
            with opened.index:
                for side, rows in zip(refused, (own, other), strict=True):
                    side += [ask(opened, row["question"]).refused for row in rows]
    return {
        "refused_wrongly": float(np.mean(refused[0])),
        "refused_rightly": float(np.mean(refused[1])),
        "questions": len(refused[0]),
    }


def fill(texts: Iterable[str], folder: Path, encoder: str) -> None:
    """Make an index of texts, a document each."""
    with IndexWriter(folder) as writer:
        file = FoundFile("/nowhere/texts", "/nowhere/else", 1, "", "", "")
        number = writer.begin(file)
        for text in texts:
            writer.take(number, Document("", text, ""))
        writer.end(number, file)
        settle_encoder(writer.store, encoder)
        writer.catch_up()
    if encoder != "none":
        embed_index(folder, QUIET)


def by_folds(answered: np.ndarray, removed: np.ndarray) -> float:
    """Questions without their paragraph that are refused where 5 % of the others are, each judged
    by weights fitted to other questions."""
    mean, spread = scale(answered, removed)
    scores = held_out_scores(*((side - mean) / spread for side in (answered, removed)))
    return float((scores[1] < np.quantile(scores[0], FALSE_REFUSALS)).mean())


if __name__ == "__main__":
    main()
