"""Pages of models: what there is, what can be pulled, what one is, and its export."""

import asyncio
import datetime
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hornbook.core.errors import HornbookError, unknown
from hornbook.core.gguf import SUFFIX
from hornbook.models.gguf.mixture import FILE_TYPES
from hornbook.serve.routes import EventStream
from hornbook.serve.state import State
from hornbook.serve.studio.begun import folder_name, job_facts
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.jobs import checked_name
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.model_list import (
    EXPORTS,
    ListedModel,
    all_models,
    card_of,
    certificate_of,
    find_model,
    offers,
    pulled_models,
)
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import language_of, page
from hornbook.workflows.exchange.catalogue import CATALOGUE

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_DOCTOR = "doctor"
_COMMANDS = ("pull", "export", _DOCTOR)
"""What is followed on the page of all models."""
_HUB_URL = "hf://"
_FOLDERS = ("hf", "peft")
"""Forms of an export that are folders."""
_USES = {
    "a decoder": ("evaluate", "bench", "generate", "summarize"),
    "a classifier": ("classify", "evaluate"),
    "a translator": ("translate",),
    "an encoder": ("embed", "summarize"),
}
"""What a model of a kind is good for, as commands."""
_RECENT = datetime.timedelta(hours=1)


@router.get("/models")
def models(request: Request, studio: Studio, server: State) -> Response:
    """All that there are, and what can be had."""
    found = _table(studio, server)
    first = next((str(one.path) for one in found["models"] if one.about), "MODEL")
    return page(
        request,
        "models.html.jinja",
        **found,
        api=f"{request.url.scheme}://{request.headers['host']}/v1",
        serve=shlex.join(["hornbook", "serve", first]),
    )


@router.get("/models/now")
def models_now(request: Request, studio: Studio, server: State) -> Response:
    """The part that changes."""
    return page(request, "models_now.html.jinja", **_table(studio, server))


@router.get("/models/changes")
def model_changes(studio: Studio, server: State) -> EventStream:
    """An event whenever a model came, or a command said something."""

    def mark() -> Any:
        jobs = [job for job in studio.jobs.all() if job.command[0] in _COMMANDS]
        said = tuple((job.name, job.alive, studio.jobs.mark(job.name)) for job in jobs)
        return tuple(studio.work.models()), tuple(pulled_models()), said

    return changes(mark)


@router.post("/models/pull")
async def pull(request: Request, studio: Studio) -> Response:
    """Fetch a model by its name, as a process of its own."""
    name = (await form_of(request)).get("name", "")
    if name not in CATALOGUE and not name.startswith(_HUB_URL):
        raise unknown("model", name, CATALOGUE)
    command = ["pull", "--json", "--", name]
    studio.jobs.begin(f"pull-{folder_name(name)}", command, language_of(request), answers=True)
    return RedirectResponse("/models#begun", 303)


@router.post("/models/doctor")
async def doctor(request: Request, studio: Studio, server: State) -> Response:
    """Let the command look at this machine, or at a model."""
    form = await form_of(request)
    command, out, back = [_DOCTOR, "--json"], _DOCTOR, "/models#machine"
    if "name" in form:
        found = _found(studio, server, form.get("origin", ""), form["name"])
        command, out = [*command, "--", str(found.path.absolute())], _doctor_of(found)
        back = f"/model?{urlencode({'origin': found.origin, 'name': found.name})}#doctor"
    studio.jobs.begin(out, command, language_of(request), answers=True)
    return RedirectResponse(back, 303)


@router.get("/model/findings")
def findings(request: Request, studio: Studio, name: str) -> Response:
    """What was found of a model."""
    return page(request, "findings.html.jinja", found=job_facts(studio, name))


def _doctor_of(found: ListedModel) -> str:
    return f"{_DOCTOR}-{found.origin}-{folder_name(found.name)}"


@router.get("/model")
async def model(
    request: Request, studio: Studio, server: State, origin: str, name: str
) -> Response:
    """One model: what it is, its certificate, its card, and what it can be written as."""
    found = await asyncio.to_thread(_found, studio, server, origin, name)
    facts = await asyncio.to_thread(_facts, studio, found)
    return page(request, "model.html.jinja", **facts)


@router.post("/model/export")
async def export(request: Request, studio: Studio, server: State) -> Response:
    """Write it for other programs, certified, as a process of its own."""
    form = await form_of(request)
    found = _found(studio, server, form.get("origin", ""), form.get("name", ""))
    out, options = _export_of(studio.config.folder / EXPORTS, form)
    await asyncio.to_thread(out.parent.mkdir, parents=True, exist_ok=True)
    command = ["export", str(found.path.absolute()), *options, "--out", str(out), "--json"]
    studio.jobs.begin(f"{EXPORTS}/{out.name}", command, language_of(request), answers=True)
    return RedirectResponse(f"/models?{urlencode({'of': found.name})}#begun", 303)


def _export_of(folder: Path, form: dict[str, str]) -> tuple[Path, list[str]]:
    """Where an export goes, and the options that say how."""
    to, kind = form.get("to", ""), form.get("type", "f16")
    name = checked_name(form.get("file", ""))
    if to in _FOLDERS:
        return (folder / name).absolute(), ["--to", to]
    if to != "gguf":
        raise unknown("form", to, (*_FOLDERS, "gguf"))
    if kind not in FILE_TYPES:
        raise unknown("type", kind, FILE_TYPES)
    return (folder / f"{name.removesuffix(SUFFIX)}{SUFFIX}").absolute(), [
        "--to",
        to,
        "--type",
        kind,
    ]


def _found(studio: StudioState, server: State, origin: str, name: str) -> ListedModel:
    found = find_model(studio.work, server.shelf.places, origin, name)
    if found is None:
        raise nothing_there(name)
    return found


def _facts(studio: StudioState, found: ListedModel) -> dict[str, Any]:
    from hornbook.workflows.exchange.export import forms_of  # it takes torch
    from hornbook.workflows.open.load import kind_of

    kind, forms = "", dict[str, str]()
    if found.about is not None:
        try:
            kind, forms = kind_of(found.path).kind, {}
            forms = forms_of(found.path) if found.about.family != "features" else {}
        except HornbookError as error:
            forms = {"hf": str(error)}
    return {
        "one": found,
        "kind": kind,
        "forms": forms,
        "types": list(FILE_TYPES),
        "writable": [form for form, problem in forms.items() if not problem],
        "uses": [*_USES.get(kind, ()), *(["export"] if forms else [])],
        "as_model": found.name if found.origin == "pulled" else str(found.path.absolute()),
        "certificate": certificate_of(found.place),
        "card": card_of(found.place),
        "doctor": {"name": _doctor_of(found), "facts": job_facts(studio, _doctor_of(found))},
        "file": folder_name(Path(found.name).stem if found.origin == "exported" else found.name),
    }


def _table(studio: StudioState, server: State) -> dict[str, Any]:
    jobs = [job for job in studio.jobs.all() if job.command[0] in _COMMANDS]
    begun = [job_facts(studio, job.name) for job in sorted(jobs, key=lambda job: job.started)]
    models = all_models(studio.work, server.shelf.places)
    return {
        "models": models,
        "done": _done(begun[-1], models) if begun else None,
        "offers": offers(),
        "begun": [one for one in begun if one["job"].command[0] != _DOCTOR][::-1],
        "doctor": job_facts(studio, _DOCTOR),
    }


def _done(last: dict[str, Any], models: list[ListedModel]) -> tuple[str, str] | None:
    """What the last command made, and its page, where it ended well not long ago."""
    began = datetime.datetime.fromisoformat(last["job"].started)
    recent = datetime.datetime.now(datetime.UTC) - began < _RECENT
    made = last["answered"].get("path") if recent else None
    for one in models:
        if made and one.path.absolute() == Path(made).absolute():
            return one.name, "/model?" + urlencode({"origin": one.origin, "name": one.name})
    return None
