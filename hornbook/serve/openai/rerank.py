"""POST /v1/rerank: documents in the order in which they fit a question.

By a reranker, which reads the question beside each, or by the cosines of an encoder's vectors.
"""

import secrets
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.serve.openai.embeddings import vectors_of
from hornbook.serve.readings import ReadingRoute, check_lengths, parts
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.texts import RerankBody
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["rerank"])
_WHOLE = 2**30
"""Tokens that no pair has: it is counted whole."""


@router.post("/v1/rerank")
async def rerank(body: RerankBody, request: Request, server: State) -> Response:
    """The documents that fit best first. `relevance_score` is what a reranker says, or the cosine
    to the query."""
    names = server.shelf.names_that("rerank")
    if body.model in names or (body.model is None and names):
        route = ReadingRoute("rerank", "reranking", _by_reranker)
    else:
        route = ReadingRoute("embed", "reranking", _by_vectors)
    return Json(await route.result(body, request, server))


def _by_reranker(model: ServedModel, body: RerankBody, still_wanted: StillWanted) -> dict[str, Any]:
    reranker, scores, tokens = model.opened, list[float](), 0
    context = reranker.model.config.context
    for part in parts(body.texts, still_wanted, beside=len(body.query)):
        pairs = [(body.query, text) for text in part]
        lengths = [len(one.ids) for one in reranker.tokenizer.encode_pairs(pairs, _WHOLE)]
        if not body.truncate:
            check_lengths(lengths, context, "documents")
        tokens += sum(min(length, context) for length in lengths)
        scores += reranker.rerank(body.query, part).tolist()
    return _ranked(model, body, scores, tokens)


def _by_vectors(model: ServedModel, body: RerankBody, still_wanted: StillWanted) -> dict[str, Any]:
    query, asked = vectors_of(model, [body.query], body, "query", still_wanted)
    rows, read = vectors_of(model, body.texts, body, "passage", still_wanted)
    return _ranked(model, body, (rows @ query[0]).tolist(), asked + read)


def _ranked(
    model: ServedModel, body: RerankBody, scores: list[float], tokens: int
) -> dict[str, Any]:
    order = sorted(range(len(scores)), key=lambda number: -scores[number])[: body.top_n]
    results: list[dict[str, Any]] = [
        {"index": number, "relevance_score": scores[number]} for number in order
    ]
    if body.return_documents:
        for result in results:
            result["document"] = {"text": body.texts[result["index"]]}
    return {
        "id": f"rerank-{secrets.token_hex(12)}",
        "model": model.name,
        "results": results,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
