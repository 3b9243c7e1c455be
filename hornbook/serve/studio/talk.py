"""The page on which a model talks: what it writes comes through the server's own API."""

from fastapi import APIRouter, Request, Response

from hornbook.core.errors import HornbookError
from hornbook.serve.logs import LOG
from hornbook.serve.shelf import Shelf
from hornbook.serve.state import State
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.model_list import pulled_models
from hornbook.serve.studio.page_route import PageRoute
from hornbook.serve.studio.render import page
from hornbook.serve.studio.work_folder import WorkFolder

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/talk")
def talk(request: Request, studio: Studio, server: State, model: str = "") -> Response:
    """Chat and completion. model: the one that is chosen first."""
    take_in(server.shelf, studio.work)
    names = server.shelf.names_that("generate")
    return page(request, "talk.html.jinja", models=names, chosen=model)


def take_in(shelf: Shelf, work: WorkFolder) -> None:
    """Let models that came since be asked for: by their places in the work folder, or by the names
    by which they were pulled."""
    for name, place in {**pulled_models(), **work.models()}.items():
        if name in shelf.places:
            continue
        try:
            shelf.add(name, place)
        except (HornbookError, OSError, KeyError) as error:
            LOG.info("%s is no model to open: %s", name, error)
