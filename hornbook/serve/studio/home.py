"""The first page: four doors, what is running, what was done last; and the language."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.language import LANGUAGES
from hornbook.serve.routes import EventStream
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.cookies import keep_in_browser
from hornbook.serve.studio.jobs import BegunCommand, page_of
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.page_route import PageRoute
from hornbook.serve.studio.render import LANGUAGE_COOKIE, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LAST, _YEAR_S = 6, 365 * 24 * 3600


@router.get("/")
def home(request: Request, studio: Studio) -> Response:
    """The first page."""
    return page(request, "home.html.jinja", **_facts(studio))


@router.get("/now")
def now(request: Request, studio: Studio) -> Response:
    """Its part that changes."""
    return page(request, "home_now.html.jinja", **_facts(studio))


@router.get("/changes")
def all_changes(studio: Studio) -> EventStream:
    """An event whenever something in the work folder changed."""
    return changes(
        lambda: (tuple(studio.work.runs()), tuple(studio.work.waiting()), _working(studio))
    )


def _facts(studio: Studio) -> dict[str, Any]:
    runs = studio.work.runs()
    return {
        "folder": str(studio.config.folder),
        "running": [run for run in runs if run.state == "running"],
        "waiting": [job for job in studio.work.waiting() if job.alive],
        "working": [(job, page_of(job)) for job in _working(studio)],
        "last": [run for run in runs if run.state != "running"][:_LAST],
    }


def _working(studio: Studio) -> tuple[BegunCommand, ...]:
    return tuple(studio.work.working())


@router.get("/language/{language}")
def language(request: Request, language: str, back: str = "/") -> Response:
    """Choose a language, and go back to a page of this studio."""
    own = back.startswith("/") and not back.startswith("//") and "\\" not in back
    found = RedirectResponse(back if own and back.isprintable() else "/", 303)
    if language in LANGUAGES:
        keep_in_browser(request, found, LANGUAGE_COOKIE, language, _YEAR_S)
    return found
