"""Pages of corpora: which there are, a new one, what was kept and dropped, and each document."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.files import read_object
from hornbook.corpus.listing import (
    dropped_documents,
    kept_documents,
    show_document,
    unread_records,
)
from hornbook.serve.routes import EventStream, refusal
from hornbook.serve.studio.begun import job_facts
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import checked_name
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page
from hornbook.serve.studio.run_log import kept
from hornbook.serve.studio.understanding import checked_sources
from hornbook.workflows.curate.corpus import PAGE, trace
from hornbook.workflows.report import words

router = APIRouter(route_class=PageRoute, include_in_schema=False)
CARD = "card.json"
_RECIPES = ("", "web")
_MOST, _LANGUAGES = 25, 8
"""Documents of a page, and languages that are named."""


@router.get("/corpora")
def corpora(request: Request, studio: Studio) -> Response:
    """All in the work folder, and a form for another one."""
    form = {"name": f"corpus{len(studio.work.corpora()) + 1}"}
    return page(request, "corpora.html.jinja", **_table(studio), form=form, said="")


@router.get("/corpora/now")
def corpora_now(request: Request, studio: Studio) -> Response:
    """The part that changes."""
    return page(request, "corpora_now.html.jinja", **_table(studio))


@router.get("/corpora/changes")
def corpus_changes(studio: Studio) -> EventStream:
    """An event whenever one came, or the command that builds one said something."""

    def mark() -> Any:
        jobs = [(job, studio.jobs.mark(job.name)) for job in _jobs(studio)]
        return tuple(studio.work.corpora()), tuple((job.name, job.alive, m) for job, m in jobs)

    return changes(mark)


@router.post("/corpora")
async def build(request: Request, studio: Studio) -> Response:
    """Build one, as a process of its own; what is wrong is said beside what was filled in."""
    form = await form_of(request)
    try:
        _begin(request, studio, form)
    except HornbookError as error:
        facts = {**_table(studio), "form": form, "said": refusal(error).message}
        return page(request, "corpora.html.jinja", 400, **facts)
    return RedirectResponse("/corpora#begun", 303)


def _begin(request: Request, studio: StudioState, form: dict[str, str]) -> None:
    name, recipe = checked_name(form.get("name", "")), form.get("recipe", "")
    sources = checked_sources(form.get("paths", ""))
    if recipe not in _RECIPES:
        raise unknown("recipe", recipe, _RECIPES)
    out = (studio.config.folder / name).absolute()
    if out.exists():
        raise UsageError(f"There is {name!r} already; take another name.")
    options = ["--recipe", recipe] if recipe else []
    command = ["corpus", "build", "--out", str(out), *options, "--json", "--", *sources]
    studio.jobs.begin(name, command, language_of(request), answers=True)


def _jobs(studio: StudioState) -> list[Any]:
    return [job for job in studio.jobs.all() if job.command[:1] == ["corpus"]]


def _table(studio: StudioState) -> dict[str, Any]:
    found = [(name, kept(path / CARD, read_object)) for name, path in studio.work.corpora().items()]
    return {
        "corpora": [(name, card) for name, card in found if card],
        "begun": [job_facts(studio, job.name) for job in _jobs(studio)],
    }


def corpus_of(studio: StudioState, name: str) -> Path:
    """The folder of a corpus. Raises RequestRefused for any other."""
    folder = studio.work.corpora().get(name)
    if folder is None:
        raise nothing_there(name)
    return folder


@router.get("/corpus")
def one(request: Request, studio: Studio, id: str) -> Response:
    """What one is made of, and what became of the rest."""
    folder = corpus_of(studio, id)
    card = read_object(folder / CARD)
    number = ["en", "zh"].index(language_of(request))
    facts: dict[str, Any] = {
        "id": id,
        "card": card,
        "has_page": (folder / PAGE).is_file(),
        "dropped": _dropped(card, number),
        "languages": _languages(card, number),
        "rules": [
            (kind, words.rule_name(kind)[number], words.rule_source(kind), found)
            for kind, found in card["rules"].items()
        ],
    }
    return page(request, "corpus.html.jinja", **facts)


def _dropped(card: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Of each reason its name, and what it took, the most documents first."""
    documents, size = card["documents"]["dropped"], card["bytes"]["dropped"]
    rows = [
        {
            "reason": reason,
            "name": words.reason_name(reason)[number],
            "documents": documents.get(reason, 0),
            "bytes": size.get(reason, 0),
        }
        for reason in dict.fromkeys([*documents, *size])
    ]
    return sorted(rows, key=lambda row: (-row["documents"], -row["bytes"]))


def _languages(card: dict[str, Any], number: int) -> list[tuple[str, int]]:
    found = [row for row in card["languages"] if row["kept"]]
    rows = sorted(found, key=lambda row: -row["kept"])[:_LANGUAGES]
    return [(words.language_name(row["language"])[number], row["kept"]) for row in rows]


@router.get("/corpus/documents")
async def documents(
    request: Request, studio: Studio, id: str, reason: str = "", at: int = 1
) -> Response:
    """Some documents that were kept, or dropped for a reason. at: the page, from 1."""
    folder, at = corpus_of(studio, id), max(1, at)
    facts = await asyncio.to_thread(_some, folder, reason, (at - 1) * _MOST)
    name = words.reason_name(reason)[["en", "zh"].index(language_of(request))]
    return page(
        request, "corpus_documents.html.jinja", id=id, reason=reason, name=name, at=at, **facts
    )


def _some(folder: Path, reason: str, start: int) -> dict[str, Any]:
    card = read_object(folder / CARD)["documents"]
    whole = card["dropped"].get(reason, 0) if reason else card["kept"]
    if not 0 <= start <= whole:
        raise UsageError("There is no such page.")
    listed, unread = [], []
    if not reason:
        listed = kept_documents(folder, start, _MOST)
    elif not (listed := dropped_documents(folder, reason, start, _MOST)):
        unread = unread_records(folder, reason, start, _MOST)
    return {"whole": whole, "pages": -(-whole // _MOST), "listed": listed, "unread": unread}


@router.get("/corpus/document")
async def document(request: Request, studio: Studio, id: str, document: str) -> Response:
    """One document: where it is, or why it is not there, and what was measured of it."""
    folder = corpus_of(studio, id)
    found = await asyncio.to_thread(trace, folder, document)
    shown = await asyncio.to_thread(show_document, folder, found)
    number = ["en", "zh"].index(language_of(request))
    facts: dict[str, Any] = {
        "id": id,
        "document": document,
        "shown": shown,
        "tokens": found.get("tokens", []),
        "reason": words.reason_name(str(shown.trace.get("reason", "")))[number],
        "rule_names": {kind: words.rule_name(kind)[number] for kind in shown.measured},
    }
    return page(request, "corpus_document.html.jinja", **facts)


@router.post("/corpus/find")
async def find(request: Request, studio: Studio) -> Response:
    """Go to the document of an id."""
    form = await form_of(request)
    asked = {"id": form.get("id", ""), "document": form.get("document", "")}
    return RedirectResponse(f"/corpus/document?{urlencode(asked)}", 303)
