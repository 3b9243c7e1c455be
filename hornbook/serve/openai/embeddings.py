"""POST /v1/embeddings: vectors of texts."""

import base64
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from hornbook.serve.errors import RequestRefused
from hornbook.serve.readings import ReadingRoute, check_lengths, parts
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.texts import EmbeddingBody, Reading
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["embeddings"])


@router.post("/v1/embeddings")
async def embed(body: EmbeddingBody, request: Request, server: State) -> Response:
    """A vector of length one for each text, in their order."""
    route = ReadingRoute("embed", "embeddings", _embedded)
    return Json(await route.result(body, request, server))


def _embedded(model: ServedModel, body: EmbeddingBody, still_wanted: StillWanted) -> dict[str, Any]:
    width = model.opened.width
    if body.dimensions not in (None, width):
        raise RequestRefused(
            f"dimensions = {body.dimensions}: this model's vectors have {width:,} numbers.",
            "dimensions",
        )
    vectors, tokens = vectors_of(model, body.texts, body, body.input_type, still_wanted)
    packed = body.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": number,
            "embedding": _base64(vector) if packed else vector.tolist(),
        }
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model.name, "usage": usage}


def vectors_of(
    model: ServedModel,
    texts: list[str],
    body: Reading,
    role: str | None,
    still_wanted: StillWanted,
) -> tuple[np.ndarray, int]:
    """(N, D) float32, and how many tokens were read. role: what the texts are to the model.

    Raises RequestRefused for one that is too long, unless its beginning is enough.
    """
    encoder = model.opened
    found, tokens, context = [], 0, encoder.model.config.context
    before = encoder.prompts.of(role)
    for part in parts(texts, still_wanted):
        _, whole = encoder.tokenizer.encode_counted([before + text for text in part], context)
        if not body.truncate:
            check_lengths(whole.tolist(), context, "input")
        tokens += int(np.minimum(whole, context).sum())
        found.append(encoder.embed(part, prompt=role))
    return np.concatenate(found), tokens


def _base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
