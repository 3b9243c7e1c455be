"""POST /v1/search and /v1/ask: what `hornbook search` and `hornbook ask` say of one index."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.core.progress import Advance, Progress
from hornbook.generate.watched import WatchedModel
from hornbook.retrieve.where import where_of
from hornbook.serve.errors import RequestRefused
from hornbook.serve.routes import StrictRoute, while_there
from hornbook.serve.schemas.documents import AskBody, SearchBody
from hornbook.serve.served import ServedModel
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.state import ServerState, State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["documents"])


@router.post("/v1/search")
async def search(body: SearchBody, request: Request, server: State) -> Response:
    """Passages that fit a question, with their places."""
    documents = _documents(server)
    work = documents.work.do(partial(_searched, documents, body))
    return Json(await while_there(request, work, server.config.request_s))


@router.post("/v1/ask")
async def ask(body: AskBody, request: Request, server: State) -> Response:
    """An answer in the documents' own words, with quotes and their places, or a refusal."""
    documents = _documents(server)
    async with contextlib.AsyncExitStack() as stack:
        model = None
        if body.model is not None:
            lease = server.shelf.lease(body.model, "generate", "answers from documents")
            model = await stack.enter_async_context(lease)
        work = documents.work.do(partial(_answered, documents, body, model))
        return Json(await while_there(request, work, server.config.request_s))


class _WatchedProgress(Progress):
    """Says nothing, and gives the work up between two documents or questions of it when nobody
    waits for it any more."""

    def __init__(self, wanted: StillWanted) -> None:
        super().__init__(quiet=True)
        self._wanted = wanted

    @contextlib.contextmanager
    def bar(self, title: str, total: float | None, unit: str) -> Iterator[Advance]:
        yield lambda amount: self._wanted()


def _documents(server: ServerState) -> ServedDocuments:
    if server.documents is None:
        raise RequestRefused(
            "This server has no documents: start it with --index DIR.", code="no_index", status=404
        )
    return server.documents


def _searched(documents: ServedDocuments, body: SearchBody, wanted: StillWanted) -> dict[str, Any]:
    wanted()
    metadata = [f"{name}={value}" for name, value in (body.metadata or {}).items()]
    dates = (body.since, body.until)
    where = where_of(body.source, body.folder, dates, body.in_language, metadata)
    index = documents.to_search()
    hits = index.search(body.query, body.count, body.by, where)
    found = {"query": body.query, "by": body.by, "hits": [hit.plain() for hit in hits]}
    return {**found, **index.state()._asdict()}


def _answered(
    documents: ServedDocuments, body: AskBody, model: ServedModel | None, wanted: StillWanted
) -> dict[str, Any]:
    from hornbook.workflows.documents.ask import AskRequest, ask
    from hornbook.workflows.open.decoder import Decoder

    wanted()
    opened, how = documents.to_ask(), AskRequest(strict=body.strict, quotes=body.quotes)
    opened.progress = _WatchedProgress(wanted)
    with contextlib.ExitStack() as stack:
        if model is not None:
            path, tokenizer = model.opened.path, model.opened.tokenizer
            lent = Decoder(path, WatchedModel(model.opened.model, wanted), tokenizer)
            how = how._replace(model=path)
            stack.enter_context(opened.lent(path, lent))
        return {**ask(opened, body.question, how).plain(), "model": body.model}
