"""Every command by a form of all its options, how it goes, and what it answered."""

import asyncio
import csv
import datetime
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from hornbook.core.errors import HornbookError
from hornbook.serve.routes import refusal
from hornbook.serve.studio.begun import add_pages, job_facts
from hornbook.serve.studio.command_forms import CommandForm, find_form
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import COMMANDS, BegunCommand, own_page, page_of
from hornbook.serve.studio.model_list import pulled_models
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import HEADERS, language_of, page
from hornbook.workflows.runs import folder as layout

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LAST = 12
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes the rest of a cell for a formula after."""


@router.get("/commands")
def commands(request: Request, studio: Studio) -> Response:
    """All commands by groups, and what was begun by their forms."""
    groups: dict[str, list[CommandForm]] = {}
    for form in studio.config.commands:
        groups.setdefault(form.group, []).append(form)
    begun = sorted(_begun(studio), key=lambda job: job.started, reverse=True)[:_LAST]
    return page(request, "commands.html.jinja", groups=groups, begun=begun)


def _begun(studio: StudioState) -> list[BegunCommand]:
    return [job for job in studio.jobs.all() if job.out.startswith(f"{COMMANDS}/")]


@router.get("/commands/{name}")
def form_page(request: Request, studio: Studio, name: str) -> Response:
    """The form of a command. Fields may be filled in by the address."""
    form = _form(studio, name)
    known = {one.name for one in form.options}
    filled = {key: text for key, text in request.query_params.items() if key in known}
    return _shown(request, studio, form, filled)


def _form(studio: StudioState, name: str) -> CommandForm:
    found = find_form(studio.config.commands, name)
    if found is None:
        raise nothing_there(name)
    return found


def _shown(
    request: Request,
    studio: StudioState,
    form: CommandForm,
    filled: Mapping[str, str],
    said: str = "",
) -> Response:
    work = studio.work
    places = [run.id for run in work.runs()]
    places += [*work.models(), *work.corpora(), *studio.indexes(), *pulled_models()]
    facts = {
        "one": form,
        "filled": filled,
        "fresh": f"{form.name}-{datetime.datetime.now().astimezone():%m%d-%H%M%S}",
        "places": list(dict.fromkeys(places)),
        "folder": str(studio.config.folder),
        "said": said,
    }
    return page(request, "command_form.html.jinja", 400 if said else 200, **facts)


@router.post("/commands/{name}")
async def begin(request: Request, studio: Studio, name: str) -> Response:
    """Begin it, as a process of its own; what is wrong is said beside what was filled in."""
    form, filled = _form(studio, name), await form_of(request)
    try:
        job = await asyncio.to_thread(_start, request, studio, form, filled)
    except HornbookError as error:
        return await asyncio.to_thread(
            _shown, request, studio, form, filled, refusal(error).message
        )
    return RedirectResponse(page_of(job), 303)


def _start(
    request: Request, studio: StudioState, form: CommandForm, filled: Mapping[str, str]
) -> BegunCommand:
    """Where a command has a page of its own, it is followed there."""
    out = f"{COMMANDS}/{form.name}-{datetime.datetime.now():%m%d-%H%M%S-%f}"[:-3]
    folder = (studio.config.folder / out).absolute()
    command = form.command(filled, studio.config.folder, folder / layout.REPORT)
    if any(word.endswith(layout.REPORT) for word in command):
        folder.mkdir(parents=True)
    if own_page(form.words) and filled.get("out"):
        out = filled["out"]
    return studio.jobs.begin(out, command, language_of(request), answers=form.answers)


def _job(studio: StudioState, id: str) -> BegunCommand:
    job = studio.jobs.find(id.replace("/", "."))
    if job is None or job.out != id or not id.startswith(f"{COMMANDS}/"):
        raise nothing_there(id)
    return job


def _facts(studio: StudioState, id: str) -> dict[str, Any]:
    job = _job(studio, id)
    folder, facts = studio.work.inside(id), job_facts(studio, job.name)
    made = made_by(job.command)
    return {
        "id": id,
        "called": " ".join(job.command),
        "has_page": bool(folder and (folder / layout.REPORT).is_file()),
        "table": bool(table_of_answer(facts["answered"])),
        "made": made if made and made.is_file() else None,
        **facts,
    }


add_pages(router, "/command", ("command.html.jinja", "command_now.html.jinja"), _facts)


def made_by(command: list[str]) -> Path | None:
    """What a command was told to write."""
    found = [word.removeprefix("--out=") for word in command if word.startswith("--out=")]
    return Path(found[0]) if found else None


def table_of_answer(answered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The one list of rows in what a command printed; [] where there is none or several."""
    lists = [
        value
        for value in answered.values()
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    ]
    return lists[0] if len(lists) == 1 else []


@router.get("/command/file")
def made(studio: Studio, id: str) -> Response:
    """The file that one wrote, if it lies in the work folder."""
    path = made_by(_job(studio, id).command)
    inside = path is not None and path.resolve().is_relative_to(studio.config.folder.resolve())
    if path is None or not inside or not path.is_file():
        raise nothing_there(id)
    return FileResponse(
        path, media_type="application/octet-stream", filename=path.name, headers=HEADERS
    )


@router.get("/command/answer")
def answer(studio: Studio, id: str, form: str = "json") -> Response:
    """What one printed, as a file: JSON, or its rows as a table."""
    job = _job(studio, id)
    found = studio.jobs.answer(job.name) or {}
    name = id.rpartition("/")[2]
    if form == "csv":
        text, kind = as_csv(table_of_answer(found)), "text/csv"
    else:
        text, kind = json.dumps(found, ensure_ascii=False, indent=2), "application/json"
    suffix = "csv" if form == "csv" else "json"
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
    return Response(text, media_type=f"{kind}; charset=utf-8", headers=HEADERS | disposition)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """As spreadsheets read it; what they would take for a formula is text."""
    written = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = csv.writer(written)
    table.writerow(map(_cell, columns))
    table.writerows([[_cell(row.get(key)) for key in columns] for row in rows])
    return f"\ufeff{written.getvalue()}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value, ensure_ascii=False)
