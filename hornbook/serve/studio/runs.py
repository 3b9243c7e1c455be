"""Pages of runs: the table of all, and one with its curves, live, stopped and gone on with."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.config import read_recipe
from hornbook.core.errors import UsageError
from hornbook.core.files import read_object
from hornbook.core.language import Language
from hornbook.serve.routes import EventStream
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import BegunCommand
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page
from hornbook.serve.studio.run_log import figures, kept, rate, samples
from hornbook.serve.studio.work_folder import RunSummary
from hornbook.serve.wire import Json
from hornbook.workflows.runs import folder as layout

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_SAMPLES = 12
_MAIN = "pretrain"
"""Of a quickstart, the run that is shown first."""


@router.get("/runs")
def table(request: Request, studio: Studio) -> Response:
    """All runs of the work folder."""
    return page(request, "runs.html.jinja", **_table(studio))


@router.get("/runs/now")
def table_now(request: Request, studio: Studio) -> Response:
    """The table alone."""
    return page(request, "runs_now.html.jinja", **_table(studio))


def _table(studio: StudioState) -> dict[str, Any]:
    return {"runs": studio.work.runs(), "waiting": studio.work.waiting()}


@router.get("/run")
def one(request: Request, studio: Studio, id: str) -> Response:
    """One run."""
    return page(request, "run.html.jinja", **_facts(studio, id))


@router.get("/run/now")
def one_now(request: Request, studio: Studio, id: str) -> Response:
    """Its part that changes."""
    return page(request, "run_now.html.jinja", **_facts(studio, id))


@router.get("/run/more")
def one_more(request: Request, studio: Studio, id: str) -> Response:
    """What stands below its charts."""
    return page(request, "run_more.html.jinja", **_facts(studio, id))


@router.get("/run/figures")
def one_figures(studio: Studio, id: str) -> Response:
    """What its charts show."""
    run, _ = _found(studio, id)
    return Json(figures(run.folder) if run else {})


@router.get("/run/changes")
def one_changes(studio: Studio, id: str) -> EventStream:
    """An event whenever it changed."""

    def mark() -> Any:
        run, job = _found(studio, id)
        return run, job, job and studio.jobs.mark(job.name)

    mark()
    return changes(mark)


@router.post("/run/stop")
async def stop(request: Request, studio: Studio) -> Response:
    """Let it save and end."""
    name = (await form_of(request)).get("id", "")
    _, job = _found(studio, name)
    if job is None or not studio.jobs.stop(job.name):
        raise UsageError("This run was not begun here, or runs no longer: it cannot be stopped.")
    return _back(name)


@router.post("/run/resume")
async def resume(request: Request, studio: Studio) -> Response:
    """Go on where it was stopped."""
    name = (await form_of(request)).get("id", "")
    run, job = _found(studio, name)
    begin_again(studio, run, job, language_of(request))
    return _back(name)


def begin_again(
    studio: StudioState, run: RunSummary | None, job: BegunCommand | None, language: Language
) -> None:
    """The same command goes on where it was; a run from elsewhere by the name of its folder."""
    if job is not None:
        studio.jobs.begin(job.out, job.command, language)
        return
    if run is None or run.state != "stopped":  # it may be running from elsewhere
        raise UsageError("This run is not stopped: there is nothing to go on with.")
    command = ["pretrain", "--resume", "--out", str(run.folder.absolute())]
    studio.jobs.begin(run.id, command, language)


def _back(name: str) -> Response:
    return RedirectResponse("/run?" + urlencode({"id": name}), 303)


def _found(studio: StudioState, name: str) -> tuple[RunSummary | None, BegunCommand | None]:
    """The run and the command that a page is of. Raises RequestRefused where there is neither."""
    run = studio.work.run(name) or studio.work.run(f"{name}/{_MAIN}")
    job = studio.jobs.making(name)
    if run is None and (job is None or job.out != name):
        raise nothing_there(name)
    return run, job


def _facts(studio: StudioState, name: str) -> dict[str, Any]:
    run, job = _found(studio, name)
    recipe = (kept(run.folder / layout.RECIPE, read_recipe) if run else None) or {}
    speed = rate(run.folder / layout.METRICS) if run else None
    left = None
    if run and speed and run.steps and run.state == "running":
        left = max(0, run.steps - run.step) / speed
    return {
        "id": name,
        "run": run,
        "job": job,
        "state": _state(studio, name, run, job),
        "said": studio.jobs.said(job.name) if job else [],
        "parts": [part for part in studio.work.runs() if job and job.makes(part.id)],
        "speed": speed,
        "left": left,
        "memory": _memory(run),
        "memory_now": job.memory() if job else None,
        "expected": recipe.get("forecast"),
        "others": [other.id for other in studio.work.runs() if run and other.id != run.id],
        "samples": samples(run.folder)[-_SAMPLES:] if run else [],
        "choices": [choice for choice in recipe.get("choices", []) if len(choice) == 3],
        "reports": _reports(studio, name, run),
    }


def _state(studio: StudioState, name: str, run: RunSummary | None, job: BegunCommand | None) -> str:
    """Of what a page is of: a command, which may make several runs, or one of these."""
    if job is None or job.out != name:
        return run.state if run else ""
    if job.alive:
        return "running"
    done = (studio.config.folder / job.out / layout.REPORT).is_file()
    return "finished" if done else "stopped"


def _memory(run: RunSummary | None) -> float | None:
    """Bytes at most, of a finished run."""
    result = (kept(run.folder / layout.RESULT, read_object) if run else None) or {}
    found = result.get("peak_bytes")
    return float(found) if isinstance(found, int | float) else None


def _reports(studio: StudioState, name: str, run: RunSummary | None) -> list[str]:
    """Places of the pages that were written about it."""
    places = {name: studio.work.inside(name)} | ({run.id: run.folder} if run else {})
    return [
        place for place, folder in places.items() if folder and (folder / layout.REPORT).is_file()
    ]
