"""The page on which documents are asked: the answer, the page it stands on, and what is added."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError
from hornbook.retrieve.index import DocumentIndex
from hornbook.serve.routes import EventStream, while_there
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.state import State
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import BegunCommand, checked_name
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page, part
from hornbook.serve.studio.understanding import checked_sources
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_QUOTES, _LINES = 5, 4


@router.get("/ask")
def ask_page(request: Request, studio: Studio, index: str = "") -> Response:
    """Choose an index, ask it, add to it."""
    names = list(studio.indexes())
    chosen = index if index in names or studio.jobs.making(index) else next(iter(names), "")
    return page(request, "ask.html.jinja", names=names, fresh=False, **_status(studio, chosen))


@router.get("/ask/now")
def now(request: Request, studio: Studio, index: str = "", fresh: bool = False) -> Response:
    """What there is of an index, and what is being added. fresh: it was not there before."""
    return page(request, "ask_now.html.jinja", fresh=fresh, **_status(studio, index))


@router.get("/ask/changes")
def index_changes(studio: Studio, index: str = "") -> EventStream:
    """An event whenever that changed."""

    def mark() -> Any:
        found = _status(studio, index)
        return found["state"], found["job"], tuple(found["said"])

    return changes(mark)


@router.post("/ask/answer")
async def answer(request: Request, studio: Studio, server: State) -> Response:
    """The answer of an index to a question, beside the pages that it stands on."""
    form = await form_of(request)
    name, question = form.get("index", ""), form.get("question", "")
    folder = studio.indexes().get(name)
    if folder is None:
        raise nothing_there(name)
    documents = studio.documents(folder, server.config)
    work = documents.work.do(_answered(documents, question))
    found, views = await while_there(request, work, server.config.request_s)
    return part(request, "answer.html.jinja", found=found, views=views)


def _answered(
    documents: ServedDocuments, question: str
) -> Callable[[StillWanted], tuple[dict[str, Any], list[dict[str, Any]]]]:
    from hornbook.workflows.documents.answer_page import views_of
    from hornbook.workflows.documents.ask import AskRequest, ask

    def work(wanted: StillWanted) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        wanted()
        opened = documents.to_ask()
        found = ask(opened, question, AskRequest(quotes=_QUOTES)).plain()
        wanted()
        return found, views_of(opened.index, found["quotes"])

    return work


@router.post("/ask/add")
async def add(request: Request, studio: Studio) -> Response:
    """Let a process of its own read more documents into an index, or into a new one."""
    form = await form_of(request)
    name = form.get("index", "") or checked_name(form.get("name", ""))
    folder = studio.indexes().get(name) or studio.config.folder / checked_name(name)
    sources = checked_sources(form.get("paths", ""))
    command = ["index", "--out", str(folder), "--", *sources]
    studio.jobs.begin(_job_name(name), command, language_of(request))
    return RedirectResponse("/ask?" + urlencode({"index": name}), 303)


def _job_name(name: str) -> str:
    """Of the command that makes an index: its place, or the name of a folder that is elsewhere."""
    return f"index-{Path(name).name}" if name.startswith("/") else name


def _status(studio: StudioState, name: str) -> dict[str, Any]:
    """state: counts of an index, None where there is none yet. job: what adds to it."""
    folder, job = studio.indexes().get(name), _job_of(studio, name)
    state = None
    if folder is not None:
        try:
            with DocumentIndex.open(folder) as index:
                state = index.state()
        except HornbookError:
            state = None
    said = studio.jobs.said(job.name)[-_LINES:] if job else []
    return {"chosen": name, "state": state, "job": job, "said": said}


def _job_of(studio: StudioState, name: str) -> BegunCommand | None:
    found = studio.jobs.making(_job_name(name)) if name else None
    return found if found and found.command[:1] == ["index"] else None
