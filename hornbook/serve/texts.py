"""POST /v1/classify and /v1/translate: what `hornbook classify` and `hornbook translate` do."""

from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.serve.readings import ReadingRoute, check_lengths, parts
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.texts import ClassifyBody, TranslateBody
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["hornbook"])


@router.post("/v1/classify")
async def classify(body: ClassifyBody, request: Request, server: State) -> Response:
    """The likeliest label of each text, and the probabilities of all labels."""
    route = ReadingRoute("classify", "classification", _classified)
    return Json(await route.result(body, request, server))


def _classified(
    model: ServedModel, body: ClassifyBody, still_wanted: StillWanted
) -> dict[str, Any]:
    network = model.opened.model
    data: list[dict[str, Any]] = []
    for part in parts(body.texts, still_wanted):
        if not body.truncate and hasattr(network, "read"):  # features made by hand read all
            check_lengths(network.read(part).tokens.tolist(), network.model.config.context, "input")
        for row in model.opened.stream(part):
            found = {key: value for key, value in row.plain().items() if key != "text"}
            data.append({"index": len(data), **found})
    labels = list(model.opened.labels)
    return {"object": "list", "model": model.name, "labels": labels, "data": data}


@router.post("/v1/translate")
async def translate(body: TranslateBody, request: Request, server: State) -> Response:
    """The translation of each text."""
    route = ReadingRoute("translate", "translation", _translated)
    return Json(await route.result(body, request, server))


def _translated(
    model: ServedModel, body: TranslateBody, still_wanted: StillWanted
) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    for part in parts(body.texts, still_wanted, times=4 * body.beam):
        found = model.opened.translations(
            part, beam=body.beam, length_penalty=body.length_penalty, max_tokens=body.max_tokens,
            prompt=body.task,
        )  # fmt: skip
        data += [{"index": len(data) + i, "text": one.text, "score": one.score}
                 for i, one in enumerate(found)]  # fmt: skip
    return {"object": "list", "model": model.name, "data": data}
