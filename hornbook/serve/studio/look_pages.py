"""How a look at what was brought goes, and what it found: a part of a page, or all of one."""

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.serve.routes import EventStream
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.live import changes
from hornbook.serve.studio.looks import Look
from hornbook.serve.studio.page_route import PageRoute
from hornbook.serve.studio.render import is_part, part

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_AT_ONCE_S, _WHOLE_S, _STEP_S = 0.8, 600.0, 0.02
"""How long a part of a page waits for the end of a look, how long a page, and how often it is asked
for."""


async def looked(request: Request, look: Look) -> Response:
    """What it found, or how it goes; whole pages wait for the end. Raises what it raised."""
    until = time.monotonic() + (_AT_ONCE_S if is_part(request) else _WHOLE_S)
    while not look.ended and time.monotonic() < until:
        look.asked = time.monotonic()
        await asyncio.sleep(_STEP_S)
    if not look.ended:
        return part(request, "looking.html.jinja", look=look)
    if look.error is not None:
        raise look.error
    return part(request, look.template, **look.facts, found=look.found)


@router.get("/look")
async def look_now(request: Request, studio: Studio, id: str) -> Response:
    """How a look goes, or what it found."""
    return await looked(request, studio.looks.find(id))


@router.get("/look/changes")
def look_changes(studio: Studio, id: str) -> EventStream:
    """An event whenever more was seen."""

    def mark() -> Any:
        look = studio.looks.find(id)
        return look.seen, look.ended

    return changes(mark)
