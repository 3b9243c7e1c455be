"""The page of a new run: text is brought, looked at, and a process of its own learns from it."""

import asyncio
import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError, UsageError
from hornbook.serve.routes import refusal
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import checked_name
from hornbook.serve.studio.page_route import PageRoute
from hornbook.serve.studio.render import language_of, page
from hornbook.serve.studio.understanding import checked_sources, understand
from hornbook.serve.wire import Json

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MINUTES, _LEAST = "10", 0.5


@router.get("/new")
def new(request: Request) -> Response:
    """The form."""
    name = datetime.datetime.now().astimezone().strftime("run-%m%d-%H%M%S")
    return page(request, "new.html.jinja", form={"name": name, "minutes": _MINUTES}, said="")


@router.post("/new/look")
async def look(request: Request) -> Response:
    """What was understood of the files."""
    form = await form_of(request)
    found = await asyncio.to_thread(lambda: understand(checked_sources(form.get("paths", ""))))
    return page(request, "understood.html.jinja", found=found)


@router.put("/new/file")
async def bring(
    request: Request, studio: Studio, batch: str, name: str, start: int = 0
) -> Response:
    """A piece of a file; answers the folder of the batch."""
    piece = await request.body()
    await asyncio.to_thread(studio.uploads.take, batch, name, start, piece)
    return Json({"folder": str(studio.uploads.folder(batch))})


@router.post("/new")
async def start(request: Request, studio: Studio) -> Response:
    """Begin the run; what is wrong is said beside what was filled in."""
    form = await form_of(request)
    try:
        name = _begun(request, studio, form)
    except HornbookError as error:
        said = refusal(error).message
        return page(request, "new.html.jinja", 400, form=form, said=said)
    return RedirectResponse("/run?" + urlencode({"id": name}), 303)


def _begun(request: Request, studio: StudioState, form: dict[str, Any]) -> str:
    from hornbook.workflows.runs.recipe import check_minutes  # it takes torch

    name = checked_name(form.get("name", ""))
    sources = checked_sources(form.get("paths", ""))
    try:
        minutes = float(form.get("minutes", ""))
    except ValueError:
        raise UsageError("Minutes are a number.") from None
    check_minutes(minutes, _LEAST)
    if (studio.config.folder / name).exists():
        raise UsageError(f"There is a run {name!r} already; take another name.")
    out = (studio.config.folder / name).absolute()
    texts = [part for source in sources for part in ("--text", source)]
    command = ["quickstart", *texts, "--minutes", f"{minutes:g}", "--out", str(out)]
    studio.jobs.begin(name, command, language_of(request))
    return name
