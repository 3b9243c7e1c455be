"""`hornbook evaluate INDEX --task retrieval`: how well an index finds what answers questions.

Words, vectors and both are asked the same questions. What search does by default is the score,
the others stand beside it, and the difference to words alone has a paired interval.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import UsageError, nearest
from hornbook.core.progress import Progress
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.evaluate.items import FEW
from hornbook.evaluate.results import plain
from hornbook.evaluate.task import Item, ItemResult, Metrics
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.measures import hit, ndcg, recall, reciprocal_rank
from hornbook.retrieve.search import By
from hornbook.retrieve.store import FILE
from hornbook.workflows.documents.queries import JudgedQuestion, read_questions
from hornbook.workflows.documents.searching import asking

RETRIEVAL = "retrieval"
_ASKED = 30
"""Passages asked for: the first ten documents are among them, as a document has several."""

Figures = dict[str, float]


def is_index(path: Path) -> bool:
    """Whether a folder is an index."""
    return (path / FILE).is_file()


def evaluate_retrieval(
    folder: Path,
    data: Path | None,
    overrides: Sequence[str],
    limit: int | None,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, Any], list[ItemResult]]:
    """The result of the task and a row a question.

    overrides: `split=NAME`, of judgements in BEIR's form. Raises UsageError as `read_questions`
    does, and where no data are named.
    """
    split = _split(overrides)
    if data is None:
        raise UsageError(
            "Say by --data which questions: a file of rows, or a folder with queries.jsonl and "
            "qrels."
        )
    encode = asking(folder, "both")
    with DocumentIndex.open(folder, encode) as index:
        every = read_questions(data, index, split)
        questions = _some(every, limit, seed)
        if len(questions) < FEW:
            progress.say(
                f"Warning: {RETRIEVAL} tests {len(questions)} items; so few tell little, as the "
                "intervals show."
            )
        state = index.state()
        ways: tuple[By, ...] = ("both", "words", "vectors") if encode else ("words",)
        found = {by: _measured(index, questions, by, progress) for by in ways}
    first, *others = ways
    metrics = {by: _metrics(rows, seed) for by, rows in found.items()}
    result = {
        "model": str(folder),
        "task": RETRIEVAL,
        "n": len(questions),
        "metrics": plain(metrics[first]),
        "floors": {by: plain(metrics[by]) for by in others},
        "by": first,
        "gain_over_words": plain(_gain(found[first], found["words"], seed)),
        "index": state._asdict(),
        "leakage": {"items": 0, "of": len(questions), "checked": {}},
        "shots": 0, "shot_rows": [], "seed": seed, "total": len(every),
        "left_out": {"empty": 0, "repeated": 0, "not_unicode": 0},
        "fewer_shots": 0, "cut": 0, "data": str(data), "first_prompt": None,
        "config": {"kind": RETRIEVAL, "split": split},
    }  # fmt: skip
    samples = [
        ItemResult(
            Item(one.number, one.row, one.question), {by: rows[i] for by, rows in found.items()}
        )
        for i, one in enumerate(questions)
    ]
    return result, samples


def _split(overrides: Sequence[str]) -> str:
    split = "test"
    for one in overrides:
        name, _, value = one.partition("=")
        if name != "split" or not value:
            raise UsageError(f"--set {one}: unknown key. {nearest(name, ['split'])}")
        split = value
    return split


def _some(questions: list[JudgedQuestion], limit: int | None, seed: int) -> list[JudgedQuestion]:
    if limit is None or limit >= len(questions):
        return questions
    chosen = np.random.default_rng(seed).choice(len(questions), limit, replace=False)
    return [questions[i] for i in sorted(chosen)]


def _measured(
    index: DocumentIndex, questions: Sequence[JudgedQuestion], by: By, progress: Progress
) -> list[Figures]:
    """The figures of each question."""
    found = []
    with progress.bar(f"searching by {by}", len(questions), "questions") as advance:
        for one in questions:
            gains, ideal = one.gains(index.search(one.question, _ASKED, by)), one.ideal()
            found.append(
                {
                    "ndcg@10": ndcg(gains, ideal),
                    "recall@10": recall(gains, len(ideal), 10),
                    "mrr@10": reciprocal_rank(gains),
                    "hit@1": hit(gains, 1),
                    "hit@5": hit(gains, 5),
                }
            )
            advance(1)
    return found


def _metrics(rows: Sequence[Figures], seed: int) -> Metrics:
    return {name: _mean([row[name] for row in rows], seed) for name in rows[0]}


def _gain(rows: Sequence[Figures], base: Sequence[Figures], seed: int) -> Metrics:
    """The mean of the differences, question by question."""
    pairs = list(zip(rows, base, strict=True))
    return {name: _mean([one[name] - two[name] for one, two in pairs], seed) for name in rows[0]}


def _mean(values: Sequence[float], seed: int) -> Estimate:
    return bootstrap_ratio(values, [1.0] * len(values), seed)
