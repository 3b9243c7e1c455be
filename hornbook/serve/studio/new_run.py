"""The page of a new run: files are brought and looked at, a forecast, and a process that learns."""

import asyncio
import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError, UsageError
from hornbook.serve.routes import EventStream, refusal
from hornbook.serve.shelf import Shelf
from hornbook.serve.state import ServerState, State
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import DRY_RUN, checked_name
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.look_pages import looked
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.previews import PREVIEWS
from hornbook.serve.studio.render import is_part, language_of, page, part
from hornbook.serve.studio.run_kinds import KINDS, SET, RunForm, command_of
from hornbook.serve.studio.talk import take_in
from hornbook.serve.studio.understanding import understand
from hornbook.serve.wire import Json

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MINUTES, _LINES, _FORECAST = "10", 3, ".forecast"
_ENDING_S = 20.0
"""What a forecast may take to end where it is asked for anew."""


@router.get("/new")
def new(
    request: Request,
    studio: Studio,
    server: State,
    kind: str = "text",
    name: str = "",
    models: str = "",
) -> Response:
    """The form. name: of a forecast that was asked for. models: "here" for a browser without
    scripts, which waits for them."""
    if kind not in KINDS:
        raise nothing_there(kind)
    offered = list(_models(studio, server, kind)) if models == "here" else None
    fresh = datetime.datetime.now().astimezone().strftime("run-%m%d-%H%M%S")
    form = {"name": name or fresh, "minutes": _MINUTES}
    return _page(request, studio, kind, form, models=offered)


def _page(
    request: Request,
    studio: StudioState,
    kind: str,
    form: dict[str, str],
    said: str = "",
    models: list[str] | None = None,
) -> Response:
    forecast = _forecast(studio, form.get("name", ""))
    facts = {"kind": kind, "form": form, "forecast": forecast, "models": models}
    return page(request, "new.html.jinja", 400 if said else 200, said=said, **facts)


@router.get("/new/models")
def models(request: Request, studio: Studio, server: State, kind: str, model: str = "") -> Response:
    """The choice of a model to tune. It comes after the page, as it takes torch to know them."""
    if kind not in KINDS:
        raise nothing_there(kind)
    names = list(_models(studio, server, kind))
    return page(request, "models_to_tune.html.jinja", models=names, chosen=model)


def _models(studio: StudioState, server: ServerState, kind: str) -> dict[str, str]:
    """What may be tuned, and how a command is told of it."""
    if not KINDS[kind].tunes:
        return {}
    take_in(server.shelf, studio.work)
    return tunable(server.shelf, KINDS[kind].tunes, afresh=kind == "labels")


def tunable(shelf: Shelf, abilities: tuple[str, ...], afresh: bool) -> dict[str, str]:
    """Models of the shelf that can do one of some things.

    afresh: families as well, of which a body begins without having learned anything.
    """
    from hornbook.models.presets import FAMILIES

    found = {
        name: str(place.absolute()) if place.exists() else str(place)
        for name, place in shelf.places.items()
        if set(abilities) & set(shelf.kinds[name].abilities)
    }
    return found | ({family: family for family in FAMILIES} if afresh else {})


@router.post("/new/look")
async def look(request: Request, studio: Studio, server: State) -> Response:
    """What was understood of the files."""
    fields = await form_of(request)
    kind, form = await asyncio.to_thread(_asked, studio, server, fields)
    if kind == "text":
        look = studio.looks.begin(
            lambda tell: understand(form.sources, tell), "understood.html.jinja"
        )
    else:
        look = studio.looks.begin(
            lambda tell: PREVIEWS[kind](form), "previewed.html.jinja", kind=kind
        )
    return await looked(request, look)


def _asked(studio: StudioState, server: ServerState, fields: dict[str, str]) -> tuple[str, RunForm]:
    kind = fields.get("kind", "text")
    if kind not in KINDS:
        raise nothing_there(kind)
    return kind, RunForm(fields, _models(studio, server, kind))


@router.put("/new/file")
async def bring(
    request: Request,
    studio: Studio,
    batch: str,
    name: str,
    start: int = 0,
    whole: int | None = None,
) -> Response:
    """A piece of a file; answers the folder of the batch. whole: bytes of all of the file."""
    piece = await request.body()
    await asyncio.to_thread(studio.uploads.take, batch, name, start, piece, whole)
    return Json({"folder": str(studio.uploads.folder(batch))})


@router.post("/new/forecast")
async def foretell(request: Request, studio: Studio, server: State) -> Response:
    """Let a process of its own find out what the run would take and reach."""
    fields = await form_of(request)
    name = await asyncio.to_thread(_begun, request, studio, server, fields, True)
    if not is_part(request):
        return RedirectResponse(
            "/new?" + urlencode({"kind": fields.get("kind", "text"), "name": name}), 303
        )
    return page(request, "forecast.html.jinja", forecast=_forecast(studio, name))


@router.get("/new/forecast")
def forecast_now(request: Request, studio: Studio, name: str) -> Response:
    """What is known of a forecast by now."""
    return page(request, "forecast.html.jinja", forecast=_forecast(studio, name))


@router.get("/new/changes")
def forecast_changes(studio: Studio, name: str) -> EventStream:
    """An event whenever that changed."""

    def mark() -> Any:
        found = _forecast(studio, name)
        return found and (found["alive"], tuple(found["said"]))

    return changes(mark)


@router.post("/new/forget")
async def forget(request: Request, studio: Studio) -> Response:
    """End a forecast that is no longer wanted."""
    name = (await form_of(request)).get("name", "")
    studio.jobs.stop(_job_name(name))
    return part(request, "forecast.html.jinja", forecast=None)


def _job_name(name: str) -> str:
    return name + _FORECAST


def _forecast(studio: StudioState, name: str) -> dict[str, Any] | None:
    """What a forecast says by now: `found`, or `error`; None where none was asked for."""
    job = studio.jobs.find(_job_name(name)) if name else None
    if job is None or not job.foretells:
        return None
    found = studio.jobs.answer(job.name) or {} if not job.alive else {}
    return {
        "name": name,
        "alive": job.alive,
        "said": studio.jobs.said(job.name)[-_LINES:],
        "found": found if "choices" in found else None,
        "error": str(found.get("error", "")),
        "asked": _asked_for(job.command),
        "set": SET,
    }


def _asked_for(command: list[str]) -> dict[str, str]:
    """Values of the recipe that were said, by their keys."""
    pairs = (part.removeprefix("--set=").partition("=") for part in command if "--set=" in part)
    return {key: value for key, _, value in pairs}


@router.post("/new")
async def start(request: Request, studio: Studio, server: State) -> Response:
    """Begin the run; what is wrong is said beside what was filled in."""
    fields = await form_of(request)
    try:
        name = await asyncio.to_thread(_begun, request, studio, server, fields, False)
    except HornbookError as error:
        said, kind = refusal(error).message, fields.get("kind", "text")
        if kind not in KINDS:
            raise
        return _page(request, studio, kind, fields, said)
    return RedirectResponse("/run?" + urlencode({"id": name}), 303)


def _begun(
    request: Request,
    studio: StudioState,
    server: ServerState,
    fields: dict[str, str],
    dry: bool,
) -> str:
    """The name of a run that was begun, or is foretold."""
    name = checked_name(fields.get("name", ""))
    kind, form = _asked(studio, server, fields)
    place = (studio.config.folder / name).absolute()
    if place.exists() or name.endswith(_FORECAST):
        raise UsageError(f"There is a run {name!r} already; take another name.")
    command = command_of(kind, form, place, *([DRY_RUN, "--json"] if dry else []))
    studio.jobs.end(_job_name(name), _ENDING_S)
    out = _job_name(name) if dry else name
    studio.jobs.begin(out, command, language_of(request), answers=dry)
    return name
