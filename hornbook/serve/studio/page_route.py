"""How pages fail: with a page that says what is wrong, in the language of whoever looks."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from hornbook.serve.errors import RequestRefused
from hornbook.serve.routes import ClientGone, refusal
from hornbook.serve.studio.render import is_part, page


class PageRoute(APIRoute):
    """A route of a page. Parts of pages, which htmx asks for, get a line instead."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientGone:
                return Response(status_code=499)
            except HTTPException:
                raise
            except Exception as error:
                return failed(request, refusal(error))

        return shown


def failed(request: Request, refused: RequestRefused) -> Response:
    """The page of an error, or a line where a part of a page was asked for."""
    template = "failed_part.html.jinja" if is_part(request) else "failed.html.jinja"
    status = 200 if is_part(request) else refused.status  # htmx shows what it gets
    return page(request, template, status, said=refused.message)


def nothing_there(what: str) -> RequestRefused:
    """The error for a page of something that is not in the work folder."""
    return RequestRefused(f"There is no {what[:200]!r} in the work folder.", "id", "not_found", 404)
