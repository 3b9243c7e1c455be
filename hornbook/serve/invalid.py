"""Errors of routes in their one shape; of a wrong body one thing, with its parameter's name."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from hornbook.core.errors import HornbookError
from hornbook.serve.errors import RequestRefused, refused_by
from hornbook.serve.wire import Json

_SHOWN = 60
"""Characters of a value that an error repeats."""


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
        if isinstance(error.detail, RequestRefused):  # of a body, as FastAPI lets no other through
            return error.detail.response()
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
    """The innermost of what pydantic found, as of a value that may be a text or a list each is
    told to be the other; and of those one that is more than of another type."""
    problem = max(errors, key=lambda error: (len(error["loc"]), not _is_of_type(error)))
    kind, context = problem["type"], problem.get("ctx", {})
    place = _place(problem["loc"], body, kind in ("missing", "extra_forbidden"))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        place.append(context["discriminator"].strip("'"))
    param = _written(place) or None
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
    if kind in ("missing", "union_tag_not_found"):
        return RequestRefused(f"{param!r} is missing.", param, "missing_required_parameter")
    if kind == "union_tag_invalid":
        said = _other(context["expected_tags"].split(", "), context["tag"])
    elif kind == "literal_error":
        said = _other(_expected(errors, problem["loc"], body), problem["input"])
    else:
        said = problem["msg"].removeprefix("Value error, ")
    first = f"{param}: " if param else ""
    return RequestRefused(f"{first}{said}.", param, "invalid_value")


def _is_of_type(error: Any) -> bool:
    return bool(error["type"].endswith("_type"))


def _expected(errors: Sequence[Any], place: Sequence[Any], body: Any) -> list[str]:
    """The values that may stand in a place, whichever of several objects is meant there."""
    same = [
        error["ctx"]["expected"]
        for error in errors
        if error["type"] == "literal_error"
        and _place(error["loc"], body, False) == _place(place, body, False)
    ]
    return list(dict.fromkeys(same))


def _other(expected: Sequence[str], given: Any) -> str:
    """Only some values may stand there, and another one does."""
    shown = to_json(given, inf_nan_mode="strings").decode()
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "..."
    return f"it must be {' or '.join(expected)}, not {shown}"


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
