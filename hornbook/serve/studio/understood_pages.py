"""Pages on which a model is understood: a form for each way, and what came out, with its page."""

import asyncio
import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.language import Language
from hornbook.serve.routes import refusal
from hornbook.serve.state import State
from hornbook.serve.studio.begun import add_pages, job_facts
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of, number_of
from hornbook.serve.studio.jobs import BegunCommand
from hornbook.serve.studio.model_list import all_models, find_model
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page
from hornbook.serve.studio.run_log import kept
from hornbook.serve.studio.understanding_ways import FOLDER, WAYS
from hornbook.workflows.claims.judge import WORDS
from hornbook.workflows.runs import folder as layout

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_CLAIMS = "claims"
_TITLE = 60
"""Characters of a text that name what was begun."""
_TEXT = "text"
"""The kind of runs that have a biography."""


@router.get("/understand/claims")
def claims(request: Request, studio: Studio) -> Response:
    """Folders in which claims were tried, each with its page."""
    facts = _claims(studio, language_of(request))
    return page(request, "claims.html.jinja", way=_CLAIMS, **facts)


@router.get("/understand/claims/now")
def claims_now(request: Request, studio: Studio) -> Response:
    """The part that changes."""
    return page(request, "claims_now.html.jinja", **_claims(studio, language_of(request)))


@router.post("/understand/claims")
async def try_claims(request: Request, studio: Studio) -> Response:
    """Try them, as a process of its own; what is finished is not done again."""
    minutes = number_of((await form_of(request)).get("minutes", ""), 1, 10_000)
    out = studio.config.folder.absolute() / _CLAIMS
    command = [_CLAIMS, "--out", str(out), "--minutes", f"{minutes:g}", "--json"]
    studio.jobs.begin(_CLAIMS, command, language_of(request), answers=True)
    return RedirectResponse("/understand/claims", 303)


def _claims(studio: StudioState, language: Language) -> dict[str, Any]:
    found = []
    for name, path in studio.work.results().items():
        rows = (kept(path / layout.RESULT, read_object) or {}).get(_CLAIMS)
        if isinstance(rows, list) and (path / layout.REPORT).is_file():
            tried = [_tried(row, language) for row in rows if isinstance(row, dict)]
            found.append((name, tried))
    return {"found": found, **job_facts(studio, _CLAIMS)}


def _tried(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """A claim in the language of the page."""
    other = row.get("zh") if language == "zh" else None
    sentence = (other if isinstance(other, dict) else row).get("sentence", row.get("name", ""))
    interval = [row.get(name) for name in ("value", "low", "high")]
    numbers = all(isinstance(one, int | float) for one in interval)
    verdict = str(row.get("verdict", ""))
    words = WORDS[verdict][language == "zh"].rstrip(".。") if verdict in WORDS else verdict
    return {
        "sentence": str(sentence),
        "verdict": verdict,
        "words": words,
        "interval": interval if numbers else None,
        "measure": str(row.get("measure", "")),
    }


@router.get("/understand/{way}")
def form_page(request: Request, studio: Studio, server: State, way: str) -> Response:
    """The form of a way, and what was begun of it."""
    return page(request, "understand_way.html.jinja", **_way(studio, server, way), form={}, said="")


@router.post("/understand/{way}")
async def begin(request: Request, studio: Studio, server: State, way: str) -> Response:
    """Begin it, as a process of its own; what is wrong is said beside what was filled in."""
    form = await form_of(request)
    facts = await asyncio.to_thread(_way, studio, server, way)
    try:
        out = await asyncio.to_thread(_begun, request, studio, server, (way, form))
    except HornbookError as error:
        facts |= {"form": form, "said": refusal(error).message}
        return page(request, "understand_way.html.jinja", 400, **facts)
    return RedirectResponse("/understood?" + urlencode({"id": out}), 303)


def _begun(
    request: Request, studio: StudioState, server: State, asked: tuple[str, dict[str, str]]
) -> str:
    way, form = asked
    out = f"{FOLDER}/{way}-{datetime.datetime.now():%m%d-%H%M%S-%f}"[:-3]
    folder = (studio.config.folder / out).absolute()
    of = _place_of(studio, server, WAYS[way].asks, form.get("of", ""))
    command = WAYS[way].command(way, of, form, folder / layout.REPORT)
    folder.mkdir(parents=True)
    studio.jobs.begin(out, command, language_of(request), answers=True)
    return out


def _place_of(studio: StudioState, server: State, asks: str, name: str) -> Path:
    """The run or model that a form names, if it is one of those that it offered."""
    if asks == "run":
        run = studio.work.run(name)
        if run is None:
            raise nothing_there(name)
        return run.folder.absolute()
    origin, _, model = name.partition(":")
    found = find_model(studio.work, server.shelf.places, origin, model)
    if found is None:
        raise nothing_there(name)
    return Path(found.name) if found.origin == "pulled" else found.path.absolute()


def _way(studio: StudioState, server: State, way: str) -> dict[str, Any]:
    if way not in WAYS:
        raise nothing_there(way)
    if WAYS[way].asks == "run":
        runs = [run for run in studio.work.runs() if run.kind == _TEXT and run.state == "finished"]
        names = [(run.id, run.id) for run in runs]
    else:
        models = all_models(studio.work, server.shelf.places)
        names = [(f"{one.origin}:{one.name}", one.name) for one in models if one.about]
    return {"way": way, "names": names, "begun": _jobs(studio, way)}


def _jobs(studio: StudioState, way: str) -> list[tuple[BegunCommand, str]]:
    """What was begun of a way with its title, the last first."""
    found = [job for job in studio.jobs.all() if job.command[0] == way]
    found.sort(key=lambda job: job.started, reverse=True)
    return [(job, title_of(job)) for job in found]


def title_of(job: BegunCommand) -> str:
    """What a command is of, and the beginning of its text."""
    of, *given = job.command[job.command.index("--") + 1 :] if "--" in job.command else [job.out]
    said = [word.removeprefix("--text=") for word in job.command if word.startswith("--text=")]
    words = " ".join(" ".join([*said, *given]).split())
    text = f": {words[:_TITLE]}{' …' if len(words) > _TITLE else ''}" if words else ""
    return f"{Path(of).name}{text}"


def _job(studio: StudioState, id: str) -> BegunCommand:
    job = studio.jobs.making(id)
    if job is None or job.out != id or job.command[0] not in WAYS:
        raise nothing_there(id)
    return job


def _facts(studio: StudioState, id: str) -> dict[str, Any]:
    job = _job(studio, id)
    folder = studio.work.inside(id)
    return {
        "id": id,
        "way": job.command[0],
        "title": title_of(job),
        "has_page": bool(folder and (folder / layout.REPORT).is_file()),
        **job_facts(studio, job.name),
    }


add_pages(router, "/understood", ("understood_one.html.jinja", "understood_now.html.jinja"), _facts)
