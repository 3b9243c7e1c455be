"""One shape for all that goes wrong: {"error": {message, type, param, code}}, as OpenAI has it."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

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


def unknown_model(name: str, known: Sequence[str]) -> RequestRefused:
    """The error for a model that is not served."""
    return RequestRefused(
        f"There is no model {name!r} here. {nearest(name, known)}", "model", "model_not_found", 404
    )


def busy(message: str) -> RequestRefused:
    """The error for a client that has to wait."""
    return RequestRefused(message, code="busy", status=429)
