"""Questions whose answers are known, and where in an index these stand.

Either a folder as BEIR has them (Thakur et al. 2021: queries.jsonl, and qrels/SPLIT.tsv with what
each document is worth), or a file of rows with a question and what answers it: `documents`, ids or
files; `context`, a text of which the passage is a part or that is part of it; or `answers`, texts
of which the passage holds one. SQuAD's form is read as well.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError, nearest
from hornbook.evaluate.rows import read_rows
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.search import Hit

QUERIES, JUDGEMENTS = "queries.jsonl", "qrels"
_QUESTION = ("question", "query", "text", "claim")
_IDS = ("_id", "id", "document_id")
"""Fields of a record by which judgements name it."""
_TOLD = 60
"""Characters that hardly two passages have in common."""
_COLUMNS = ("query-id", "corpus-id", "score")


class JudgedQuestion(NamedTuple):
    """number: of its row. worth: of documents, by their number in the index. context, answers: by
    which passages are judged where no documents are named."""

    number: int
    question: str
    row: dict[str, Any]
    worth: dict[int, float]
    context: str = ""
    answers: tuple[str, ...] = ()

    def gains(self, hits: Sequence[Hit]) -> list[float]:
        """What each rank is worth: of documents where these are judged, else of passages."""
        if self.worth:
            order = dict.fromkeys(
                document
                for hit in hits
                for document in (hit.document, *(copy.document for copy in hit.copies))
            )
            return [self.worth.get(document, 0.0) for document in order]
        return [float(self.answered_by(hit.document, hit.text)) for hit in hits]

    def ideal(self) -> list[float]:
        """The worth of all that is to be found."""
        return [worth for worth in self.worth.values() if worth > 0] or [1.0]

    def answered_by(self, document: int, text: str) -> bool:
        """Whether a passage of a document answers it, by what judges the question."""
        if self.worth:
            return self.worth.get(document, 0.0) > 0
        text = plain(text)
        if self.context:
            context = plain(self.context)
            return text in context or context in text
        return self.is_said_in(text)

    def touches(self, document: int, text: str) -> bool:
        """Whether a passage holds a part of what answers it: left out, nothing of that is there."""
        if self.answered_by(document, text):
            return True
        if self.worth or not self.context:
            return False
        one, other = plain(text), plain(self.context)
        return any(
            part in whole for whole, each in ((one, other), (other, one)) for part in _ends(each)
        )

    def is_said_in(self, text: str) -> bool:
        """Whether one of its answers stands in a text."""
        text = plain(text)
        return any(plain(answer) in text for answer in self.answers)


def read_questions(place: Path, index: DocumentIndex, split: str = "test") -> list[JudgedQuestion]:
    """The questions of a file or folder, in order.

    Raises UsageError for a place, a split or a field that is not there, and where none of the
    judged documents is in the index.
    """
    if place.is_dir():
        questions = list(_judged(place, index, split))
    else:
        rows, known = read_rows(place), None
        questions = []
        for number, row in enumerate(rows):
            if row.get("documents") and known is None:
                known = _numbers(index)
            questions.append(_of_row(number, row, known or {}, place))
    if not questions:
        raise UsageError(f"{place} holds no question whose answer is in the index.")
    return questions


def _judged(folder: Path, index: DocumentIndex, split: str) -> Iterator[JudgedQuestion]:
    for name in (folder / QUERIES, folder / JUDGEMENTS):
        if not name.exists():
            raise UsageError(
                f"{folder} holds no {name.name}. Valid: a file of rows with questions, or a folder "
                f"with {QUERIES} and {JUDGEMENTS}/{split}.tsv."
            )
    path = folder / JUDGEMENTS / f"{split}.tsv"
    if not path.is_file():
        there = [one.stem for one in (folder / JUDGEMENTS).glob("*.tsv")]
        raise UsageError(f"{path} does not exist. {nearest(split, there)}")
    worth: dict[str, dict[int, float]] = defaultdict(dict)
    numbers, missing = _numbers(index), 0
    for row in read_rows(path):
        query, document, score = (_field(row, name, path) for name in _COLUMNS)
        if (number := numbers.get(document)) is None:
            missing += 1
        else:
            worth[query][number] = float(score)
    if not worth:
        raise UsageError(
            f"None of the {missing:,} documents that {path} names is in {index.folder}; index the "
            f"collection first, with an id in one of the fields {', '.join(_IDS)}."
        )
    for number, row in enumerate(read_rows(folder / QUERIES)):
        found = worth.get(_field(row, "_id", folder / QUERIES))
        if found and any(value > 0 for value in found.values()):
            yield JudgedQuestion(number, _question(row, folder / QUERIES), row, found)


def _of_row(
    number: int, row: dict[str, Any], numbers: Mapping[str, int], place: Path
) -> JudgedQuestion:
    question = _question(row, place)
    answers = row.get("answers") or ()
    answers = (answers,) if isinstance(answers, str) else tuple(map(str, answers))
    if named := row.get("documents"):
        ids = [named] if isinstance(named, str | int) else named
        found = {numbers[str(one)]: 1.0 for one in ids if str(one) in numbers}
        if not found:
            raise UsageError(
                f"{place}, row {number + 1}: no document {ids[0]!r} in the index. "
                f"{nearest(str(ids[0]), list(numbers))}"
            )
        return JudgedQuestion(number, question, row, found, "", answers)
    context = row.get("context") or row.get("passage") or ""
    if not context and not answers:
        raise UsageError(
            f"{place}, row {number + 1}: nothing says what answers the question. Valid: documents, "
            "context, answers."
        )
    return JudgedQuestion(number, question, row, {}, str(context), answers)


def _question(row: Mapping[str, Any], place: Path) -> str:
    for name in _QUESTION:
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name])
    raise UsageError(f"{place}: a row has no question. Valid: {', '.join(_QUESTION)}.")


def _field(row: Mapping[str, Any], name: str, place: Path) -> str:
    if row.get(name) is None:
        raise UsageError(f"{place} has no column {name!r}. {nearest(name, list(row))}")
    return str(row[name])


def _numbers(index: DocumentIndex) -> dict[str, int]:
    """The document of each id, file and name of a file; names that several have mean none."""
    found: dict[str, list[int]] = defaultdict(list)
    for document in index.documents():
        ids = [document.metadata[name] for name in _IDS if name in document.metadata]
        for one in dict.fromkeys((*map(str, ids), document.source, Path(document.source).name)):
            found[one].append(document.id)
    return {name: numbers[0] for name, numbers in found.items() if len(numbers) == 1}


def _ends(text: str) -> tuple[str, str]:
    """How a text begins and ends, long enough to be told from others."""
    return text[:_TOLD], text[-_TOLD:]


def plain(text: str) -> str:
    """A text as it is compared: on one line, in small letters."""
    return " ".join(text.split()).casefold()
