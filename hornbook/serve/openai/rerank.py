"""POST /v1/rerank: documents in the order in which they fit a question, by an encoder's cosines."""

import secrets
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.serve.openai.embeddings import vectors_of
from hornbook.serve.readings import ReadingRoute
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.texts import RerankBody
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["rerank"])


@router.post("/v1/rerank")
async def rerank(body: RerankBody, request: Request, server: State) -> Response:
    """The documents that fit best first; `relevance_score` is the cosine to the query."""
    route = ReadingRoute("embed", "reranking", _reranked)
    return Json(await route.result(body, request, server))


def _reranked(model: ServedModel, body: RerankBody, still_wanted: StillWanted) -> dict[str, Any]:
    texts = body.texts
    query, asked = vectors_of(model, [body.query], body, "query", still_wanted)
    rows, read = vectors_of(model, texts, body, "passage", still_wanted)
    scores = (rows @ query[0]).tolist()
    order = sorted(range(len(texts)), key=lambda number: -scores[number])[: body.top_n]
    results: list[dict[str, Any]] = [
        {"index": number, "relevance_score": scores[number]} for number in order
    ]
    if body.return_documents:
        for result in results:
            result["document"] = {"text": texts[result["index"]]}
    return {
        "id": f"rerank-{secrets.token_hex(12)}",
        "model": model.name,
        "results": results,
        "usage": {"prompt_tokens": asked + read, "total_tokens": asked + read},
    }
