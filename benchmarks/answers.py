"""Answers and refusals on people's questions: `python -m benchmarks.answers en zh`.

The paragraphs of XQuAD (HORNBOOK_DATA) become an index, and its questions are asked twice: with all
paragraphs, and with their own left out. Printed are how often the best sentence holds the answer;
how many questions are refused wrongly and rightly at the index's own threshold; and how many are
refused rightly where 5 % are refused wrongly, as landed and with weights fitted to these questions
by folds (the weights in `hornbook.retrieve.refusal` are those of `--fit` on en and zh).
"""

import argparse
import gzip
import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import report
from hornbook.core.progress import Progress
from hornbook.read.documents import Document
from hornbook.retrieve.made_questions import MadeQuestion
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.refusal import FALSE_REFUSALS, fitted_weights, held_out_scores, scale
from hornbook.retrieve.writer import FoundFile, IndexWriter
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.embedding import embed_index
from hornbook.workflows.documents.encoders import settle_encoder
from hornbook.workflows.documents.refusal import judge, signs


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", default=["en", "zh"])
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--encoder", default="multilingual-e5-small", help="none for words alone")
    parser.add_argument("--fit", action="store_true", help="print the weights of these questions")
    asked = parser.parse_args()
    found = {}
    sides = []
    for language in asked.languages:
        with tempfile.TemporaryDirectory() as folder:
            found[language], answered, removed = measured(language, Path(folder), asked)
        mean, spread = scale(answered, removed)
        sides.append([(side - mean) / spread for side in (answered, removed)])
    if asked.fit:
        weights = fitted_weights(*(np.concatenate(side) for side in zip(*sides, strict=True)))
        found["weights"] = np.round(weights, 2).tolist()
    report(ours=found, peers={}, ratio=None, load=os.getloadavg())


def measured(
    language: str, folder: Path, asked: Any
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """The figures, and the signs of the questions with their paragraph and without it."""
    questions = fill(language, folder, asked.encoder)
    random.Random(1).shuffle(questions)
    opened = OpenIndex(folder, Progress(quiet=True))
    rows: list[list[list[float]]] = [[], []]
    refused: list[list[bool]] = [[], []]
    right = 0
    with opened.index:
        for question, document, answers in questions[: asked.questions]:
            own = MadeQuestion(question, TextPlace(document, 0, 2**31))
            for side, without in enumerate((None, own)):
                finding = opened.find(question, without=without)
                verdict = judge(opened, question, finding)
                assert verdict is not None
                refused[side].append(verdict.refused)
                rows[side].append(signs(opened, question, finding))
                if without is None and finding.evidence:
                    right += any(answer in finding.evidence[0].text for answer in answers)
    answered, removed = np.array(rows[0]), np.array(rows[1])
    figures = {
        "best_sentence": right / len(answered),
        "false_refusals": float(np.mean(refused[0])),
        "refused": float(np.mean(refused[1])),
        "refused_at_5_percent_by_folds": by_folds(answered, removed),
    }
    return figures, answered, removed


def fill(language: str, folder: Path, encoder: str) -> list[tuple[str, int, list[str]]]:
    """Make the index; the questions with the number of their document and their answers."""
    path = Path(os.environ["HORNBOOK_DATA"]) / "qa_xquad" / f"xquad.{language}.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        articles = json.load(stream)["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    with IndexWriter(folder) as writer:
        file = FoundFile("/nowhere/texts", "/nowhere/else", 1, "", "", "")
        number = writer.begin(file)
        for paragraph in paragraphs:
            writer.take(number, Document("", paragraph["context"], ""))
        writer.end(number, file)
        settle_encoder(writer.store, encoder)
        writer.catch_up()
        ids = [row[0] for row in writer.store.execute("SELECT id FROM documents ORDER BY id")]
    if encoder != "none":
        embed_index(folder, Progress(quiet=True))
    return [
        (one["question"], id, [answer["text"] for answer in one["answers"]])
        for id, paragraph in zip(ids, paragraphs, strict=True)
        for one in paragraph["qas"]
    ]


def by_folds(answered: np.ndarray, removed: np.ndarray) -> float:
    """Questions without their paragraph that are refused where 5 % of the others are, each judged
    by weights fitted to other questions."""
    mean, spread = scale(answered, removed)
    scores = held_out_scores(*((side - mean) / spread for side in (answered, removed)))
    return float((scores[1] < np.quantile(scores[0], FALSE_REFUSALS)).mean())


if __name__ == "__main__":
    main()
