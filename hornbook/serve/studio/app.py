"""The application of the studio: the server's, its pages, and the door."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from hornbook.serve.app import create_app
from hornbook.serve.state import ServerState
from hornbook.serve.studio import (
    asking,
    begun,
    command_pages,
    compare_pages,
    corpus_pages,
    home,
    look_pages,
    model_pages,
    new_run,
    reports,
    review_pages,
    runs,
    talk,
    together,
    understand,
    understood_pages,
)
from hornbook.serve.studio.config import StudioConfig, StudioState
from hornbook.serve.studio.door import Door

PAGES = (
    home.router,
    runs.router,
    together.router,
    new_run.router,
    reports.router,
    talk.router,
    asking.router,
    understand.router,
    model_pages.router,
    corpus_pages.router,
    review_pages.router,
    compare_pages.router,
    understood_pages.router,
    begun.router,
    command_pages.router,
    look_pages.router,
)
STATIC = Path(__file__).parent / "static"
_WARM_AFTER_S = 2.0
"""After the start, when the first page is there."""


def warm() -> None:
    """Load what pages of models need, which takes a second or two, before anybody opens one."""
    import hornbook.models.presets
    import hornbook.workflows.exchange.export
    import hornbook.workflows.projects.answers.data  # noqa: F401


def create_studio(server: ServerState, config: StudioConfig) -> FastAPI:
    """The application. The server's configuration must have a key: pages begin processes and read
    files, which is nobody's else on this machine."""
    assert server.config.key
    app = create_app(server, PAGES)
    app.state.studio = studio = StudioState(config)
    server_s = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = threading.Timer(_WARM_AFTER_S, warm)
        warming.daemon = True
        warming.start()
        async with server_s(app):
            yield
        warming.cancel()
        studio.close()

    app.router.lifespan_context = lifespan
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Door, key=server.config.key)
    return app
