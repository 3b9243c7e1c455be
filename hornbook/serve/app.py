"""The application: a gate, and the routers of each part behind it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from hornbook import __version__
from hornbook.serve import documents, health, texts
from hornbook.serve.errors import ErrorBody
from hornbook.serve.gate import Gate
from hornbook.serve.invalid import answer_errors
from hornbook.serve.openai import (
    chat,
    completions,
    decisions,
    embeddings,
    models,
    rerank,
    responses,
)
from hornbook.serve.recorded import Recorded
from hornbook.serve.state import ServerState

PARTS = (
    health, models, chat, completions, responses, embeddings, decisions, rerank, texts, documents,
)  # fmt: skip
"""Of the API, each with its router. Pages come beside them: `create_app` takes more."""


_REFUSALS = (400, 401, 403, 404, 405, 408, 413, 429, 500, 503)


def create_app(state: ServerState, more: Sequence[APIRouter] = ()) -> FastAPI:
    """The application of one server. more: routers beside the API's, such as pages; what they
    need of the server they get as `state.State`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = FastAPI(
        title="Hornbook",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # it would lead from a proxy's TLS to the plain address
        responses={status: {"model": ErrorBody} for status in _REFUSALS},
    )
    app.state.server = state
    answer_errors(app)
    for router in (*(part.router for part in PARTS), *more):
        app.include_router(router)
    app.add_middleware(Gate, config=state.config)
    app.add_middleware(Recorded, metrics=state.metrics, log_texts=state.config.log_texts)
    app.openapi = partial(_documented, app, app.openapi)  # type: ignore[method-assign]
    return app


def _documented(app: FastAPI, whole: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The document of the API, without the errors of a shape that never comes."""
    if app.openapi_schema is None:
        found = whole()
        for path in found["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            found["components"]["schemas"].pop(name, None)
        app.openapi_schema = found
    return app.openapi_schema
