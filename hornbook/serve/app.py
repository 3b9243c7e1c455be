"""The application: a gate, and the routers of each part behind it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from hornbook import __version__
from hornbook.serve import documents, health, texts
from hornbook.serve.errors import ErrorBody, answer_errors
from hornbook.serve.gate import Gate
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
        responses={status: {"model": ErrorBody} for status in (400, 401, 403, 404, 413, 429)},
    )
    app.state.server = state
    answer_errors(app)
    for router in (*(part.router for part in PARTS), *more):
        app.include_router(router)
    app.add_middleware(Gate, config=state.config)
    app.add_middleware(Recorded, metrics=state.metrics, log_texts=state.config.log_texts)
    return app
