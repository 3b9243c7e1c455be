"""GET /health and /metrics: whether the server lives, and what it counts."""

from fastapi import APIRouter, Response

from hornbook.serve.metrics import CONTENT_TYPE
from hornbook.serve.routes import StrictRoute
from hornbook.serve.state import State
from hornbook.serve.wire import Json

router = APIRouter(route_class=StrictRoute, tags=["health"])


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> Response:
    """The server answers. It says nothing else, as it needs no key."""
    return Json({"status": "ok"})


@router.get("/metrics", response_class=Response)
async def metrics(server: State) -> Response:
    """Counts and times in Prometheus' text format."""
    return Response(server.metrics.text(), media_type=CONTENT_TYPE)
