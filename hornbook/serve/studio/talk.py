"""Pages on which a model is used: it talks, translates, classifies, summarises or decides.

All that it says comes through the server's own API.
"""

from fastapi import APIRouter, Request, Response

from hornbook.core.errors import HornbookError
from hornbook.serve.logs import LOG
from hornbook.serve.shelf import Shelf
from hornbook.serve.state import State
from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.model_list import pulled_models
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import page
from hornbook.serve.studio.work_folder import WorkFolder

router = APIRouter(route_class=PageRoute, include_in_schema=False)
USES = {
    "talk": "generate",
    "translate": "translate",
    "summarise": "generate",
    "classify": "classify",
    "decide": "decide",
}
"""What a model can be used for here, and what it must be able to do for it."""


@router.get("/talk")
def talk(
    request: Request, studio: Studio, server: State, model: str = "", use: str = "talk"
) -> Response:
    """The page of a use. model: the one that is chosen first."""
    if use not in USES:
        raise nothing_there(use)
    take_in(server.shelf, studio.work)
    names = server.shelf.names_that(USES[use])
    template = "talk.html.jinja" if use == "talk" else "use.html.jinja"
    prompt = _summary_prompt() if use == "summarise" else ""
    return page(request, template, use=use, models=names, chosen=model, prompt=prompt)


def _summary_prompt() -> str:
    """What models that were tuned to summarise are asked; {text} in it is the text."""
    from hornbook.workflows.projects.answers.data import PROMPTS  # it takes torch

    return PROMPTS["summarize"]


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
