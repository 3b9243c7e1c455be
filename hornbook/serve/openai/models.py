"""GET /v1/models: what a client may ask for."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from hornbook.serve.errors import unknown_model
from hornbook.serve.routes import StrictRoute
from hornbook.serve.state import ServerState, State

router = APIRouter(route_class=StrictRoute, tags=["models"])


class ServedName(BaseModel):
    """A model of the server. abilities: what it can be asked for, not OpenAI's."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "hornbook"
    abilities: list[str]


class ServedNames(BaseModel):
    """All models of the server."""

    object: Literal["list"] = "list"
    data: list[ServedName]


def _named(server: ServerState, name: str) -> ServedName:
    abilities = [each for each in server.shelf.kinds[name].abilities if each != "stream"]
    return ServedName(id=name, created=server.shelf.created[name], abilities=abilities)


@router.get("/v1/models/", include_in_schema=False)
@router.get("/v1/models")
async def list_models(server: State) -> ServedNames:
    """The models, in the order in which the server was given them."""
    return ServedNames(data=[_named(server, name) for name in server.shelf.places])


@router.get("/v1/models/{name:path}")
async def one_model(name: str, server: State) -> ServedName:
    """One of them."""
    if name not in server.shelf.places:
        raise unknown_model(name, list(server.shelf.places))
    return _named(server, name)
