"""The page on which a text is looked for in what a model was trained on."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.core.progress import Progress
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.forms import form_of
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import page, part

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/understand")
def understand_page(request: Request, studio: Studio) -> Response:
    """Choose a run, and give a text."""
    names = [run.id for run in studio.work.runs()]
    return page(request, "understand.html.jinja", names=names)


@router.post("/understand/trace")
async def traced(request: Request, studio: Studio) -> Response:
    """The passages of a text that stand word for word in the text of a run, with their places."""
    form = await form_of(request)
    name, text = form.get("run", ""), form.get("text", "")
    run = await asyncio.to_thread(studio.work.run, name)
    if run is None:
        raise nothing_there(name)
    found = await asyncio.to_thread(_traced, run.folder, text)
    return part(request, "traced.html.jinja", found=found, characters=len(text))


def _traced(folder: Path, text: str) -> Any:
    from hornbook.workflows.understand.trace import TraceConfig, trace_text

    return trace_text(folder, text, TraceConfig(), Progress(quiet=True)).found
