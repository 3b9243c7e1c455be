"""`hornbook ask`: an answer in the documents' own words, each with its place, or a refusal.

Sentences are found and ranked; a model, where there is one that is good enough for this index,
points at them and may say something in its own words; their text is the store's. A question about
all documents at once is answered by looking at all of them.
"""

from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError
from hornbook.retrieve.all_of_it import AllOfIt, all_of_it
from hornbook.retrieve.evidence import Evidence
from hornbook.retrieve.quotes import Quote, one_line, quote
from hornbook.workflows.documents.asking import Finding, LeftOut, OpenIndex
from hornbook.workflows.documents.filter import filter_documents
from hornbook.workflows.documents.pointing import (
    Said,
    in_own_words,
    plain,
    pointed,
    question_likelihoods,
)
from hornbook.workflows.documents.refusal import judge
from hornbook.workflows.documents.strength import Strength, strength

_NEARLY = 0.6
"""Share of what the best sentence says of the question, from which another is quoted as well."""
_FEW = 30
"""Sentences of an index, below which nobody can say which vectors are near enough."""
_LISTED = 20
"""Documents that an answer about all of them quotes."""


class AskRequest(NamedTuple):
    """How a question is answered.

    model: a decoder, or None. strict: leave out what no quote supports. quotes: at most.
    """

    model: Path | None = None
    strict: bool = False
    quotes: int = 3
    device: str | None = None


class AskResult(NamedTuple):
    """An answer. quotes: what it rests on, the best first. looked_at: what was seen of the index.

    by: "words", "encoder" or "model", or who judged all documents. about: what else there is to
    say, by the names that JSON has.
    """

    question: str
    answer: str
    quotes: list[Quote]
    refused: bool
    looked_at: dict[str, Any]
    by: str
    about: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        values = self._asdict()
        del values["about"]
        return {**values, "quotes": [one.plain() for one in self.quotes], **self.about}


def ask(
    opened: OpenIndex,
    question: str,
    request: AskRequest = AskRequest(),  # noqa: B008
    without: LeftOut | None = None,
) -> AskResult:
    """The answer of an index to a question. Raises UsageError for an empty one.

    without: passages that a question is asked without, to see whether it is refused then; one
    about all documents looks at all of them.
    """
    if not question.strip():
        raise UsageError("There is nothing to answer: the question is empty.")
    wanted = all_of_it(question)
    if wanted is not None:
        return _of_all(opened, question, request, wanted)
    return _of_some(opened, question, request, without)


def _looked_at(opened: OpenIndex, documents: int, passages: int, whole: bool) -> dict[str, Any]:
    """What was seen of the index, how far its vectors are, and whether it stays as it is."""
    return {
        "documents": documents,
        "of_documents": opened.state.documents,
        "passages": passages,
        "of_passages": opened.state.passages,
        "vectors": opened.state.vectors,
        "whole": whole,
        "settled": opened.state.settled,
    }


def _of_some(
    opened: OpenIndex, question: str, request: AskRequest, without: LeftOut | None
) -> AskResult:
    found = opened.find(question, without)
    seen = {hit.document for hit in found.hits}
    looked_at = _looked_at(
        opened,
        opened.state.documents if found.whole else len(seen),
        opened.state.passages if found.whole else len(found.hits),
        found.whole,
    )
    refused, verdict = _verdict(opened, question, found)
    by = "encoder" if opened.encodes else "words"
    if refused:
        return AskResult(question, "", [], True, looked_at, by, verdict)
    evidence, said, about = _pointed(opened, question, request, found)
    quotes = [quote(opened.index, one.place) for one in _worth(evidence, request.quotes)]
    kept = _kept(said, request.strict)
    text = " ".join(one.text for one in kept) if kept else one_line(quotes[0].text)
    own = {"sentences": plain(kept), "own_words": bool(kept)}
    by = about.pop("by", by)
    return AskResult(question, text, quotes, False, looked_at, by, {**verdict, **about, **own})


def _verdict(opened: OpenIndex, question: str, found: Finding) -> tuple[bool, dict[str, Any]]:
    """Whether the question is refused, before any model is asked, and what is said of that.

    A question none of whose words stands in the documents is refused where words are all there is,
    and where the index is too small to say which vectors are near enough.
    """
    evidence = [one for one in found.evidence if not one.against]
    no_words = all(one.around == 0 for one in evidence)
    verdict = judge(opened, question, found) if evidence else None
    if verdict is None:
        return no_words, {}
    untold = not opened.encodes or verdict.sentences < _FEW
    refused = verdict.refused or (no_words and untold)
    return refused, {"refusal": verdict.plain()}


def _pointed(
    opened: OpenIndex, question: str, request: AskRequest, found: Finding
) -> tuple[list[Evidence], list[Said], dict[str, Any]]:
    """The sentences in their order, what the model says in its own words, and about the model."""
    if request.model is None:
        return found.evidence, [], {"model": None}
    decoder = opened.decoder(request.model, request.device)
    name = str(request.model)

    def likely(text: str, asked: str) -> float:
        return question_likelihoods(decoder, [text], asked)[0]

    measured: Strength | None = strength(opened, request.model, "ask", likely)
    about: dict[str, Any] = {"model": name}
    if measured is not None:
        about["strength"] = measured.plain()
        if measured.is_weak:
            return found.evidence, [], {**about, "left_out": "it is too weak for these documents"}
    evidence = pointed(decoder, found.evidence, question)
    texts = [one.text for one in evidence[: request.quotes]]
    language = opened.index.document(evidence[0].place.document).language
    said, why = in_own_words(decoder, texts, question, language)
    about["by"] = "model"
    return evidence, said, about if why is None else {**about, "left_out": why}


def _worth(evidence: list[Evidence], most: int) -> list[Evidence]:
    """The best sentence, and others that say as much of the question, nearly."""
    best = evidence[0]
    others = (one for one in evidence[1:most] if not one.against)
    return [best, *(one for one in others if one.says >= _NEARLY * best.says > 0)]


def _kept(said: list[Said], strict: bool) -> list[Said]:
    """What of the model's words is the answer: nothing, where no quote supports any of it."""
    kept = [one for one in said if one.supported or not strict]
    return kept if any(one.supported for one in kept) else []


def _of_all(opened: OpenIndex, question: str, request: AskRequest, wanted: AllOfIt) -> AskResult:
    """An answer from all documents: a number, a list, or the longest or shortest."""
    looked_at = _looked_at(opened, len(opened.documents), opened.state.passages, True)
    model = None if request.model is None else str(request.model)
    about: dict[str, Any] = {"model": model, "all_of_it": wanted._asdict()}
    quotes: list[Quote] = []
    by = "documents"
    if wanted.criterion:
        found = filter_documents(opened, wanted.criterion, request.model, request.device)
        by, names = found["by"], ("calibration", "rows", "strength")
        about |= {name: found[name] for name in names if name in found}
        rows = [row for row in found["rows"] if row["meets"]]
        quotes = [Quote(**row["evidence"]) for row in rows[:_LISTED] if row["evidence"]]
    else:
        rows = about["rows"] = _documents(opened, wanted.kind)
    text = str(len(rows))
    if wanted.kind == "list":
        text = ", ".join(dict.fromkeys(row["title"] or row["source"] for row in rows[:_LISTED]))
    elif wanted.kind != "count" and rows:
        text = f"{rows[0]['source']} ({rows[0]['characters']:,})"
    return AskResult(question, text, quotes, not opened.documents, looked_at, by, about)


def _documents(opened: OpenIndex, kind: str) -> list[dict[str, Any]]:
    """All documents, by their length where that is asked for."""
    found = list(opened.documents)
    if kind in ("longest", "shortest"):
        found.sort(key=lambda one: one.characters, reverse=kind == "longest")
    names = ("source", "title", "characters")
    return [{"document": one.id, **{n: getattr(one, n) for n in names}} for one in found]
