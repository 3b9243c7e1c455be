"""`hornbook evaluate INDEX --task retrieval`: how well an index finds what answers questions.

Words, vectors and both are asked the same questions. What search does by default is the score,
the others stand beside it, and the difference to words alone has a paired interval. With a reranker
its order is the score, and the difference to search without it is paired as well.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import UsageError, nearest
from hornbook.core.progress import Progress
from hornbook.evaluate.items import FEW
from hornbook.evaluate.metrics import mean
from hornbook.evaluate.results import plain
from hornbook.evaluate.task import Item, ItemResult, Metrics
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.measures import hit, ndcg, recall, reciprocal_rank
from hornbook.retrieve.search import By
from hornbook.retrieve.store import FILE
from hornbook.workflows.documents.queries import JudgedQuestion, read_questions
from hornbook.workflows.documents.searching import asking, reranking_by, said_of

RETRIEVAL, RERANKED = "retrieval", "reranked"
SPLIT = "split"
_ASKED = 30
"""Passages asked for: the first ten documents are among them, as a document has several."""

Figures = dict[str, float]


def is_index(path: Path) -> bool:
    """Whether a folder is an index."""
    return (path / FILE).is_file()


class IndexTask(NamedTuple):
    """What is measured of an index. data: its questions. overrides: key=value, as `--set` has them.

    limit: questions at most, None for all. seed: of the choice and of intervals. rerank: a model
    that puts what is found into another order.
    """

    folder: Path
    data: Path | None
    overrides: tuple[str, ...]
    limit: int | None
    seed: int
    rerank: str | None = None

    def values(self, valid: Collection[str]) -> dict[str, str]:
        """The overrides by name. Raises UsageError for a name that is not valid."""
        found = {}
        for one in self.overrides:
            name, _, value = one.partition("=")
            if name not in valid or not value:
                raise UsageError(f"--set {one}: unknown key. {nearest(name, list(valid))}")
            found[name] = value
        return found

    def questions(
        self, index: DocumentIndex, split: str, task: str, progress: Progress
    ) -> tuple[list[JudgedQuestion], int]:
        """Those that are asked, and of how many. Raises UsageError as `read_questions` does, and
        where no data are named."""
        if self.data is None:
            raise UsageError(
                "Say by --data which questions: a file of rows, or a folder with queries.jsonl and "
                "qrels."
            )
        every = read_questions(self.data, index, split)
        questions = _some(every, self.limit, self.seed)
        if len(questions) < FEW:
            progress.say(
                f"Warning: {task} tests {len(questions)} items; so few tell little, as the "
                "intervals show."
            )
        return questions, len(every)

    def result(self, task: str, asked: int, total: int, **more: Any) -> dict[str, Any]:
        """What the result of every task has, with more of this one."""
        return {
            "model": str(self.folder),
            "task": task,
            "n": asked,
            "floors": {},
            "leakage": {"items": 0, "of": asked, "checked": {}},
            "shots": 0, "shot_rows": [], "seed": self.seed, "total": total,
            "left_out": {"empty": 0, "repeated": 0, "not_unicode": 0},
            "fewer_shots": 0, "cut": 0, "data": str(self.data), "first_prompt": None,
            **more,
        }  # fmt: skip


def evaluate_retrieval(
    task: IndexTask, progress: Progress
) -> tuple[dict[str, Any], list[ItemResult]]:
    """The result of the task and a row a question.

    Overrides: `split=NAME`, of judgements in BEIR's form. Raises UsageError for a model that is no
    reranker.
    """
    split = task.values([SPLIT]).get(SPLIT, "test")
    encode, reranking = asking(task.folder, "both"), reranking_by(task.rerank)
    with DocumentIndex.open(task.folder, encode) as index:
        questions, total = task.questions(index, split, RETRIEVAL, progress)
        state = index.state()
        ways: tuple[By, ...] = ("both", "words", "vectors") if encode else ("words",)
        found: dict[str, list[Figures]] = {
            by: _measured(index, questions, by, progress) for by in ways
        }
    usual, gain = ways[0], {}
    if reranking:
        with DocumentIndex.open(task.folder, encode, reranking) as index:
            rows = _measured(index, questions, usual, progress)
        gained = _gain(rows, found[usual], task.seed)
        gain = {"gain_of_reranking": plain(gained)}
        found = {RERANKED: rows, **found}
        if (said := said_of(str(task.rerank), reranking.counting, usual)) is not None:
            progress.say(said)
        if gained["ndcg@10"].low <= 0 and reranking.counting.of(usual):
            progress.say(
                "Warning: it is not sure that reranking helps here; the interval of nDCG@10 is "
                f"{gained['ndcg@10'].low:+.3f} to {gained['ndcg@10'].high:+.3f}."
            )
    first, *others = found
    metrics = {by: _metrics(rows, task.seed) for by, rows in found.items()}
    result = task.result(
        RETRIEVAL,
        len(questions),
        total,
        metrics=plain(metrics[first]),
        floors={by: plain(metrics[by]) for by in others},
        by=first,
        gain_over_words=plain(_gain(found[first], found["words"], task.seed)),
        **gain,
        index=state._asdict(),
        config={"kind": RETRIEVAL, "split": split, "rerank": task.rerank},
    )
    samples = [
        ItemResult(
            Item(one.number, one.row, one.question), {by: rows[i] for by, rows in found.items()}
        )
        for i, one in enumerate(questions)
    ]
    return result, samples


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
    return {name: mean([row[name] for row in rows], seed) for name in rows[0]}


def _gain(rows: Sequence[Figures], base: Sequence[Figures], seed: int) -> Metrics:
    """The mean of the differences, question by question."""
    pairs = list(zip(rows, base, strict=True))
    return {name: mean([one[name] - two[name] for one, two in pairs], seed) for name in rows[0]}
