"""How a command that was begun goes: a part of any page, which follows it and can stop it."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.serve.routes import EventStream
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import page, part

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LINES = 6


def folder_name(text: str) -> str:
    """A name that a folder may have, of any text."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-._")[:48] or "unnamed"


def job_facts(studio: StudioState, name: str) -> dict[str, Any]:
    """For the template of one command: `job`, what it `said` last, what it `answered`."""
    job = studio.jobs.find(name)
    return {
        "job": job,
        "said": studio.jobs.said(name)[-_LINES:] if job else [],
        "answered": (studio.jobs.answer(name) or {}) if job and not job.alive else {},
    }


Facts = Callable[[StudioState, str], dict[str, Any]]


def add_pages(to: APIRouter, place: str, templates: tuple[str, str], facts_of: Facts) -> None:
    """Add the pages that follow one kind of what was begun, by its id: at `place` the whole, and
    below it what changes (`now`) and when (`changes`).

    templates: of the whole, and of what changes. facts_of: for both, with `job`; raises
    RequestRefused for an id that is of no such thing.
    """
    whole, changing = templates

    @to.get(place)
    def one(request: Request, studio: Studio, id: str) -> Response:
        """How it goes, and what came out."""
        return page(request, whole, **facts_of(studio, id))

    @to.get(f"{place}/now")
    def one_now(request: Request, studio: Studio, id: str) -> Response:
        """All of it but its name."""
        return page(request, changing, **facts_of(studio, id))

    @to.get(f"{place}/changes")
    def one_changes(studio: Studio, id: str) -> EventStream:
        """An event whenever something was said, or it ended."""
        job = facts_of(studio, id)["job"]
        return job_changes(studio, job.name if job else id)


@router.get("/job/now")
def now(request: Request, studio: Studio, name: str) -> Response:
    """How a command goes."""
    facts = job_facts(studio, name)
    if facts["job"] is None:
        raise nothing_there(name)
    return page(request, "job_now.html.jinja", **facts)


@router.get("/job/changes")
def job_changes(studio: Studio, name: str) -> EventStream:
    """An event whenever it said something, or ended."""
    return changes(lambda: (studio.jobs.find(name), studio.jobs.mark(name)))


@router.post("/job/stop")
async def stop(request: Request, studio: Studio) -> Response:
    """Let it end."""
    name = (await form_of(request)).get("name", "")
    studio.jobs.stop(name)
    return part(request, "job_now.html.jinja", **job_facts(studio, name))
