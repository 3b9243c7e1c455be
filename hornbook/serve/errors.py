"""One shape for all that goes wrong: {"error": {message, type, param, code}}, as OpenAI has it."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from hornbook.core.errors import HornbookError, nearest
from hornbook.serve.wire import Json

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error",
         429: "rate_limit_error", 500: "server_error", 503: "server_error"}  # fmt: skip
"""Of a status; of any other it is invalid_request_error."""
RETRY_S = 1
"""Seconds after which a client that was turned away may come again."""


class ErrorDetail(BaseModel):
    """What went wrong. param: which parameter; code: a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """What every error answers."""

    error: ErrorDetail


class RequestRefused(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        kind = TYPES.get(self.status, "invalid_request_error")
        detail = ErrorDetail(message=self.message, type=kind, param=self.param, code=self.code)
        return ErrorBody(error=detail).model_dump()

    def response(self) -> Json:
        """The answer."""
        headers = {"Retry-After": str(RETRY_S)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == 408:  # the same request would take as long again
            headers["x-should-retry"] = "false"
        return Json(self.plain(), self.status, headers)


_PART = re.compile(
    r"((?:messages|tools|tool_choice|response_format|logit_bias)[\w.\[\]]{0,200})[ :]"
)


def refused_by(error: HornbookError) -> RequestRefused:
    """What the library refuses is the client's to mend; it names the part of the request first."""
    part = _PART.match(str(error)) or _PART.search(str(error))
    return RequestRefused(str(error), part[1] if part else None)


INTERNAL = RequestRefused("The server has failed; its log says why.", code="internal", status=500)


def answer_errors(app: FastAPI) -> None:
    """Let all errors of an application have the one shape."""

    @app.exception_handler(RequestRefused)
    async def refused(request: Request, error: RequestRefused) -> Json:
        return error.response()

    @app.exception_handler(HornbookError)
    async def wrong(request: Request, error: HornbookError) -> Json:
        return refused_by(error).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Json:
        return described(error.errors(), error.body).response()

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Json:
        found = RequestRefused(str(error.detail), status=error.status_code)
        if error.status_code == 404:
            found = RequestRefused(f"There is no {request.url.path} here.", None, "not_found", 404)
        if error.status_code == 405:
            may = (error.headers or {}).get("Allow", "another method")
            found.message = f"{request.method} is not for {request.url.path}: use {may}."
        response = found.response()
        response.headers.update(error.headers or {})
        return response


def described(errors: Sequence[Any], body: Any) -> RequestRefused:
    """One thing that is wrong with a body, with the name of its parameter: the innermost, as of a
    value that may be a text or a list each is told to be the other."""
    problem = max(errors, key=lambda error: len(error["loc"]))
    kind, said = problem["type"], problem["msg"].removeprefix("Value error, ")
    param = _written(_place(problem["loc"], body, kind in ("missing", "extra_forbidden"))) or None
    if kind == "extra_forbidden":
        return RequestRefused(
            f"Unknown parameter {param!r}: this server does not know what it asks for.",
            param,
            "unknown_parameter",
        )
    if param is None and kind != "value_error":
        return RequestRefused(
            "The body must be a JSON object, sent with Content-Type: application/json."
        )
    if kind == "missing":
        return RequestRefused(f"{param!r} is missing.", param, "missing_required_parameter")
    first = f"{param}: " if param else ""
    return RequestRefused(f"{first}{said}.", param, "invalid_value")


def _place(parts: Sequence[Any], body: Any, last_is_key: bool) -> list[Any]:
    """Where in a body something is wrong: pydantic names the kinds between them as well, which
    stand in no body."""
    found: list[Any] = []
    for number, part in enumerate(parts[1:], 2):
        if (isinstance(body, list) and isinstance(part, int) and part < len(body)) or (
            isinstance(body, dict) and part in body
        ):
            body = body[part]
        elif not (last_is_key and number == len(parts)):
            continue
        found.append(part)
    return found


def _written(place: Sequence[Any]) -> str:
    """messages[0].content, as OpenAI writes it."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def unknown_model(name: str, known: Sequence[str]) -> RequestRefused:
    """The error for a model that is not served."""
    return RequestRefused(
        f"There is no model {name!r} here. {nearest(name, known)}", "model", "model_not_found", 404
    )


def busy(message: str) -> RequestRefused:
    """The error for a client that has to wait."""
    return RequestRefused(message, code="busy", status=429)
