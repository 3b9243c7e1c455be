"""The page on which a person says whether a rule is right, a document at a time.

It is `hornbook corpus review`: the same documents, and the same file of answers.
"""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.claims import MARKER, beside
from hornbook.core.errors import UsageError
from hornbook.core.files import read_object
from hornbook.corpus.build import stages_of
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.review import Case, ReviewAnswer, answers_in, cases, precision, remember
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.corpus_pages import corpus_of
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.page_route import PageRoute
from hornbook.serve.studio.render import language_of, page
from hornbook.workflows.report import words

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_EACH, _SEED = 20, 0
"""As many as the command shows."""
_SHOWN = 3000
"""Characters of a document."""


@router.get("/corpus/review")
async def review(
    request: Request, studio: Studio, id: str, rule: str, document: str = ""
) -> Response:
    """The next document, or one that was answered already."""
    folder = corpus_of(studio, id)
    facts = await asyncio.to_thread(_facts, folder, rule, document)
    name = words.rule_name(rule)[["en", "zh"].index(language_of(request))]
    return page(
        request, "corpus_review.html.jinja", id=id, rule=rule, name=name, most=_SHOWN, **facts
    )


@router.post("/corpus/review")
async def answer(request: Request, studio: Studio) -> Response:
    """Keep an answer, and show the next document."""
    form = await form_of(request)
    id, rule, good = form.get("id", ""), form.get("rule", ""), form.get("good", "")
    folder = corpus_of(studio, id)
    if good not in ("y", "n"):
        raise UsageError("Answer y or n.")
    await asyncio.to_thread(_remember, folder, rule, form.get("document", ""), good == "y")
    return RedirectResponse("/corpus/review?" + urlencode({"id": id, "rule": rule}), 303)


def _facts(folder: Path, rule: str, document: str) -> dict[str, Any]:
    found, answers = _cases(folder, rule), answers_in(_answers_at(folder), rule)
    asked = [case for case in found if case.id == document]
    left = [case for case in found if case.id not in answers]
    mine = [answer for id, answer in answers.items() if id in {case.id for case in found}]
    return {
        "case": next(iter([*asked, *left]), None),
        "answered": len(found) - len(left),
        "whole": len(found),
        "last": mine[-1] if mine and not asked else None,
        "shares": precision(list(answers.values())),
        "counts": {
            "precision": sum(answer.case.dropped for answer in answers.values()),
            "kept_good": sum(not answer.case.dropped for answer in answers.values()),
        },
    }


def _remember(folder: Path, rule: str, document: str, good: bool) -> None:
    case = next((case for case in _cases(folder, rule) if case.id == document), None)
    if case is None:
        raise UsageError(f"{document[:80]!r} is none of the documents that are asked about.")
    path = _answers_at(folder)
    answers_in(path, rule)  # it holds answers and nothing else
    remember(path, rule, [ReviewAnswer(case, good)])


def _answers_at(folder: Path) -> Path:
    return beside(folder, "", ".review.jsonl")


def _cases(folder: Path, rule: str) -> list[Case]:
    fingerprint = Corpus.open(folder).fingerprint
    assert fingerprint is not None
    return _drawn(folder, fingerprint, rule)


@lru_cache(maxsize=16)
def _drawn(folder: Path, fingerprint: str, rule: str) -> list[Case]:
    recipe = CorpusRecipe.parse(read_object(folder / MARKER)["inputs"]["recipe"], str(folder))
    return cases(stages_of(folder), recipe, rule, _EACH, _SEED)
