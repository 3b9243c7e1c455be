"""Pages of comparisons: which there are, a new one from a table or two texts, and what came out."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError, UsageError
from hornbook.serve.routes import refusal
from hornbook.serve.studio.begun import add_pages, job_facts
from hornbook.serve.studio.comparison import read_comparison, result_of
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import checked_name
from hornbook.serve.studio.look_pages import looked
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page
from hornbook.serve.studio.understanding import checked_sources
from hornbook.workflows.runs import folder as layout

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_EXAMPLES, _LABELS = 5, 12
_CHOSEN = {"text_column": "--text-column", "label_column": "--label-column", "curve": "--curve"}
"""Fields that are options of the command, where something is filled in."""


@router.get("/compare")
def comparisons(request: Request, studio: Studio) -> Response:
    """All in the work folder, and a form for another one."""
    found = _table(studio)
    form = {"name": f"comparison{len(found['comparisons']) + 1}", "minutes": "5"}
    return page(request, "compare.html.jinja", **found, form=form, said="")


@router.post("/compare/look")
async def look(request: Request, studio: Studio) -> Response:
    """What the table is taken for: its columns, its labels, some rows."""
    form = await form_of(request)
    look = studio.looks.begin(lambda tell: _looked(form), "compare_look.html.jinja")
    return await looked(request, look)


def _looked(form: dict[str, str]) -> dict[str, Any]:
    from hornbook.datasets.labelled import read_labelled

    path = _table_file(form)
    found = read_labelled(path, form.get("text_column") or None, form.get("label_column") or None)
    counts = Counter(row.label for row in found.rows).most_common()
    return {
        "data": found,
        "labels": counts[:_LABELS],
        "more": len(counts) - len(counts[:_LABELS]),
        "examples": found.rows[:_EXAMPLES],
        "refused": [(rejection.line, rejection.reason) for rejection in found.rejected[:3]],
    }


def _table_file(form: dict[str, str]) -> Path:
    """The one file that is meant; of a folder that was brought, the file in it."""
    sources = [Path(source) for source in checked_sources(form.get("paths", ""))]
    files = [
        file
        for source in sources
        for file in (sorted(source.iterdir()) if source.is_dir() else [source])
    ]
    if len(files) != 1:
        raise UsageError("A comparison is of one table: give one file.")
    return files[0]


@router.post("/compare")
async def begin(request: Request, studio: Studio) -> Response:
    """Compare, as a process of its own; what is wrong is said beside what was filled in."""
    form = await form_of(request)
    try:
        name = await asyncio.to_thread(_begun, request, studio, form)
    except HornbookError as error:
        facts = {**_table(studio), "form": form, "said": refusal(error).message}
        return page(request, "compare.html.jinja", 400, **facts)
    return RedirectResponse("/comparison?" + urlencode({"id": name}), 303)


def _begun(request: Request, studio: StudioState, form: dict[str, str]) -> str:
    from hornbook.workflows.runs.recipe import check_minutes  # it takes torch

    name = checked_name(form.get("name", ""))
    try:
        minutes = float(form.get("minutes", ""))
    except ValueError:
        raise UsageError("Minutes are a number.") from None
    check_minutes(minutes, 0.1)
    out = (studio.config.folder / name).absolute()
    if out.exists():
        raise UsageError(f"There is {name!r} already; take another name.")
    command = ["compare", "--minutes", f"{minutes:g}", "--out", str(out), "--json"]
    command += _texts(form) if form.get("task") == "lm" else _labels(form)
    studio.jobs.begin(name, command, language_of(request), answers=True)
    return name


def _labels(form: dict[str, str]) -> list[str]:
    """Options for a table of texts and labels, which is looked at before anything begins."""
    _looked(form)
    chosen = [f"{option}={form[field]}" for field, option in _CHOSEN.items() if form.get(field, "")]
    return ["--task", "classify", "--data", str(_table_file(form)), *chosen]


def _texts(form: dict[str, str]) -> list[str]:
    found = ["--task", "lm"]
    for side in ("domain", "general"):
        for source in checked_sources(form.get(side, "")):
            found += [f"--{side}", source]
    return found


def _facts(studio: StudioState, id: str) -> dict[str, Any]:
    folder, job = studio.work.inside(id), studio.jobs.making(id)
    has_result = folder is not None and result_of(folder) is not None
    if job is not None and (job.out != id or job.command[0] != "compare"):
        job = None
    if not has_result and job is None:
        raise nothing_there(id)
    begun: dict[str, Any] = {"job": None, "said": [], "answered": {}}
    return {
        "id": id,
        "found": read_comparison(folder) if folder and has_result else None,
        "has_page": bool(folder and (folder / layout.REPORT).is_file()),
        **(job_facts(studio, job.name) if job else begun),
    }


add_pages(router, "/comparison", ("comparison.html.jinja", "comparison_now.html.jinja"), _facts)


def _table(studio: StudioState) -> dict[str, Any]:
    found = [(name, result_of(path)) for name, path in studio.work.results().items()]
    shown = [(name, result) for name, result in found if result]
    jobs = [job for job in studio.work.working() if job.command[0] == "compare"]
    running = [job for job in jobs if job.out not in dict(shown)]
    return {"comparisons": shown, "running": running}
