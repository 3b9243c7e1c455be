"""`hornbook evaluate INDEX --task answers`: how well an index answers, and refuses.

Each question is asked as `hornbook ask` does, and once more without the passages that answer it,
when the right thing is to refuse. An answer is the best sentence of the documents, or a model's own
words. Exact match and F1 are SQuAD's (Rajpurkar et al. 2016): a whole sentence that holds a short
answer has little of them, and `holds_answer` counts it.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.progress import Progress
from hornbook.core.stats import bootstrap_ratio
from hornbook.evaluate.metrics import ARTICLES, best, exact_match, mean, token_f1
from hornbook.evaluate.results import plain
from hornbook.evaluate.task import Item, ItemResult, Metrics
from hornbook.retrieve.quotes import Quote, TextPlace, is_verbatim
from hornbook.workflows.documents.ask import AskRequest, AskResult, ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.evaluate import SPLIT, IndexTask
from hornbook.workflows.documents.queries import JudgedQuestion
from hornbook.workflows.documents.refusal import known, settle

ANSWERS, _MODEL = "answers", "model"
_MEANS = (
    "exact_match", "f1", "holds_answer", "right_place", "refused_wrongly", "refused_rightly"
)  # fmt: skip
_OTHER = "zh"
"""Of languages whose articles nobody has listed, no word may be left out, as of Chinese."""


class AskedTwice(NamedTuple):
    """A question, what it got with the passages that answer it, and what without them."""

    question: JudgedQuestion
    there: AskResult
    gone: AskResult


def evaluate_answers(
    task: IndexTask, progress: Progress
) -> tuple[dict[str, Any], list[ItemResult]]:
    """The result of the task and a row a question.

    Overrides: `model=MODEL`, a decoder that points; `split=NAME` as for retrieval.
    """
    values = task.values([_MODEL, SPLIT])
    request = AskRequest(Path(values[_MODEL]) if _MODEL in values else None)
    opened = OpenIndex(task.folder, progress)
    with opened.index:
        if request.model is not None:  # one that is not there is said before long work
            opened.decoder(request.model, None)
        questions, total = task.questions(
            opened.index, values.get(SPLIT, "test"), ANSWERS, progress
        )
        rows = asked_twice(opened, questions, request)
        figures = [figures_of(opened, one) for one in rows]
    result = task.result(
        ANSWERS,
        len(rows),
        total,
        metrics=plain(metrics_of(figures, task.seed)),
        answered_by=dict(Counter(one.there.by for one in rows)),
        index=opened.state._asdict(),
        config={"kind": ANSWERS, **values},
    )
    samples = [
        ItemResult(
            Item(one.question.number, one.question.row, one.question.question),
            {**found, "answer": one.there.answer, "quotes": [q.plain() for q in one.there.quotes]},
        )
        for one, found in zip(rows, figures, strict=True)
    ]
    return result, samples


def asked_twice(
    opened: OpenIndex, questions: list[JudgedQuestion], request: AskRequest
) -> list[AskedTwice]:
    """Every question with and without what answers it; when to refuse is learned before."""
    if known(opened) is None:
        settle(opened)
    rows = []
    with opened.progress.bar("asking", len(questions), "questions") as advance:
        for one in questions:

            def answers(place: TextPlace, text: str, one: JudgedQuestion = one) -> bool:
                return one.touches(place.document, text)

            there = ask(opened, one.question, request)
            rows.append(AskedTwice(one, there, ask(opened, one.question, request, answers)))
            advance(1)
    return rows


def figures_of(opened: OpenIndex, asked: AskedTwice) -> dict[str, float]:
    """The figures of a question. A question that is refused has no answer."""
    question, there, gone = asked
    quotes = [*there.quotes, *gone.quotes]
    found = {
        "right_place": float(bool(there.quotes) and _is_right(opened, question, there.quotes[0])),
        "refused_wrongly": float(there.refused),
        "refused_rightly": float(gone.refused),
        "quotes": float(len(quotes)),
        "valid_quotes": float(
            sum(one.verified and is_verbatim(opened.index, one) for one in quotes)
        ),
    }
    if question.answers:
        language = _language(opened, there)
        answer, references = there.answer, question.answers
        found |= {
            "holds_answer": float(bool(there.quotes) and question.is_said_in(there.quotes[0].text)),
            "exact_match": best(lambda a, b: exact_match(a, b, language), answer, references),
            "f1": best(lambda a, b: token_f1(a, b, language), answer, references),
        }
    return found


def _is_right(opened: OpenIndex, question: JudgedQuestion, one: Quote) -> bool:
    """Whether a quote stands in a passage that answers the question."""
    passages = opened.index.passages(*one.place)
    return any(question.answered_by(p.document, opened.index.text(*p[1:])) for p in passages)


def _language(opened: OpenIndex, result: AskResult) -> str:
    language = opened.index.document(result.quotes[0].document).language if result.quotes else ""
    return language if language in ARTICLES else _OTHER


def metrics_of(figures: list[dict[str, float]], seed: int) -> Metrics:
    """Means over questions with their intervals; of quotes, over all that were printed."""
    found = {}
    for name in _MEANS:
        if values := [row[name] for row in figures if name in row]:
            found[name] = mean(values, seed)
    if any(row["quotes"] for row in figures):
        valid, printed = ([row[n] for row in figures] for n in ("valid_quotes", "quotes"))
        found["valid_quotes"] = bootstrap_ratio(valid, printed, seed)
    return found
