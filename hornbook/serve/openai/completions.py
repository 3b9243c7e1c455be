"""POST /v1/completions: texts are continued."""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.generate.text import continue_text
from hornbook.serve.answered import AnswerForm, Begun, WritingRoute, answered
from hornbook.serve.answering import WantedAnswer, begin, check_texts, most_tokens, sampling, usage
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import AnswerPart, Delivery
from hornbook.serve.errors import RequestRefused
from hornbook.serve.openai.logprobs import of_text
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.completions import CompletionBody
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import DONE, STREAMED, event

router = APIRouter(route_class=StrictRoute, tags=["completions"])


@router.post("/v1/completions", responses=STREAMED)
async def complete(body: CompletionBody, request: Request, server: State) -> Response:
    """Continue one text or several. With `stream` they come as server-sent events."""
    route = WritingRoute("generate", "completions", _begun, CompletionForm)
    return await answered(route, body, request, server)


def _begun(model: ServedModel, body: CompletionBody, config: ServeConfig) -> Begun:
    """The answers, ready to be written."""
    prompts = _prompts(model, body, config)
    most = most_tokens(model, prompts, body.max_tokens, config, "prompt")
    ends = continue_text(model.opened.tokenizer, "")[1]
    drawn = sampling(body, most, body.logprobs)
    return Begun(begin(model, prompts, WantedAnswer(drawn, ends, body.n)))


def _prompts(model: ServedModel, body: CompletionBody, config: ServeConfig) -> list[list[int]]:
    """The ids of each prompt, which may be ids already."""
    tokenizer, vocab, given = model.opened.tokenizer, model.opened.model.vocab, body.prompt
    alone = isinstance(given, str) or isinstance(given[0], int)
    several: list[Any] = [given] if alone else list(given)
    if len(several) * body.n > config.texts:
        raise RequestRefused(f"A request may ask for {config.texts:,} answers at most.", "prompt")
    found = []
    for one in several:
        if isinstance(one, str):
            check_texts(model, [one], "prompt")
            one = continue_text(tokenizer, one)[0].prompt_ids
        elif (highest := max(one)) >= vocab:
            raise RequestRefused(
                f"Token {highest} is not there; ids are 0 to {vocab - 1}.", "prompt"
            )
        found.append(one)
    return found


class CompletionForm(AnswerForm):
    """As completions have it."""

    def __init__(
        self, model: ServedModel, body: CompletionBody, delivery: Delivery, begun: Begun
    ) -> None:
        super().__init__(model, body, delivery, begun)
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model.name,
        }
        self._counts = body.stream_options is not None and body.stream_options.include_usage
        self._characters: Counter[int] = Counter()

    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """All continuations in one object."""
        choices = []
        for number, one in enumerate(self.delivery.writings):
            own = [part for part in parts if part.answer == number]
            pieces = [piece for part in own for piece in part.pieces]
            choices.append(self._choice(number, one.answer.text, pieces, own[-1].finished))
        return {**self._head, "choices": choices, "usage": usage(self.delivery)}

    def part(self, part: AnswerPart) -> bytes:
        """Its text, and why it is the last."""
        choice = self._choice(part.answer, part.text, part.pieces, part.finished)
        self._characters[part.answer] += len(part.text)
        found = {**self._head, "choices": [choice]}
        return event({**found, "usage": None} if self._counts else found)

    def last(self) -> bytes:
        """The count of tokens, if it is asked for."""
        if not self._counts:
            return DONE
        return event({**self._head, "choices": [], "usage": usage(self.delivery)}) + DONE

    def _choice(self, number: int, text: str, pieces: Any, finished: str | None) -> dict[str, Any]:
        logprobs = None
        if self.body.logprobs is not None:
            tokenizer = self.model.opened.tokenizer
            logprobs = of_text(tokenizer, pieces, self._characters[number])
        return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finished}
