"""POST /v1/chat/completions: the answer to a conversation, at once or as it is written."""

import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.generate.tools import CalledTool
from hornbook.serve.answered import AnswerForm, Begun, WritingRoute, answered
from hornbook.serve.answering import WantedAnswer, begin, check_texts, most_tokens, sampling, usage
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import AnswerPart, Delivery
from hornbook.serve.errors import RequestRefused
from hornbook.serve.openai.logprobs import of_chat
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.chat import ChatBody
from hornbook.serve.schemas.messages import plain
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import DONE, STREAMED, TextEvent, event

router = APIRouter(route_class=StrictRoute, tags=["chat"])


@router.post("/v1/chat/completions", responses=STREAMED)
async def chat(body: ChatBody, request: Request, server: State) -> Response:
    """Answer a conversation. With `stream` the answer comes as server-sent events."""
    route = WritingRoute("chat", "chat completions", _begun, ChatForm)
    return await answered(route, body, request, server)


def _begun(model: ServedModel, body: ChatBody, config: ServeConfig) -> Begun:
    """The answers, ready to be written."""
    if body.max_tokens and body.max_completion_tokens:
        raise RequestRefused(
            "Give max_completion_tokens or max_tokens, not both.", "max_completion_tokens"
        )
    messages = [plain(each) for each in body.messages]
    check_texts(model, (each["content"] for each in messages), "messages")
    given = body.model_dump(
        include={"tools", "tool_choice", "response_format"}, by_alias=True, exclude_none=True
    )
    prompt = model.chat_format.prompt(
        messages,
        parallel_tool_calls=body.parallel_tool_calls,
        **given,
    )
    asked = body.max_completion_tokens or body.max_tokens
    most = most_tokens(model, [prompt.ids], asked, config, "messages")
    top = (body.top_logprobs or 0) if body.logprobs else None
    wanted = WantedAnswer(sampling(body, most, top), prompt.stop_ids, body.n, prompt.grammar)
    return Begun(begin(model, [prompt.ids], wanted), prompt.form)


class ChatForm(AnswerForm):
    """As chat completions have it."""

    def __init__(
        self, model: ServedModel, body: ChatBody, delivery: Delivery, begun: Begun
    ) -> None:
        super().__init__(model, body, delivery, begun)
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model.name,
        }
        self._counts = body.stream_options is not None and body.stream_options.include_usage
        self._plain = [
            TextEvent(partial(self._text_event, number)) for number in range(len(begun.writings))
        ]

    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """All answers in one object."""
        for part in parts:
            self.said[part.answer].take(part)
        choices = []
        for number, said in enumerate(self.said):
            own = [part for part in parts if part.answer == number]
            message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
            if said.calls:
                message |= {"content": said.text or None, "tool_calls": _calls(said.calls)}
            choices.append(
                {
                    "index": number,
                    "message": message,
                    "logprobs": self._logprobs(*own),
                    "finish_reason": said.finished,
                }
            )
        head = {**self._head, "object": "chat.completion"}
        return {**head, "choices": choices, "usage": usage(self.delivery)}

    def first(self) -> bytes:
        """Who speaks."""
        delta = {"role": "assistant", "content": "", "refusal": None}
        return b"".join(self._chunk(i, delta) for i in range(len(self.delivery.writings)))

    def part(self, part: AnswerPart) -> bytes:
        """Its text, its calls, and why it is the last."""
        said, found = self.said[part.answer].take(part), b""
        if part.pieces:
            found = self._chunk(part.answer, {"content": said.text}, self._logprobs(part))
        elif said.text:
            found = self._plain[part.answer].of(said.text)
        if said.calls:
            calls = [{"index": i, **call} for i, call in enumerate(_calls(said.calls))]
            found += self._chunk(part.answer, {"tool_calls": calls})
        if said.finished:
            found += self._chunk(part.answer, {}, None, said.finished)
        return found

    def last(self) -> bytes:
        """The count of tokens, if it is asked for."""
        if not self._counts:
            return DONE
        return event(self._event([]) | {"usage": usage(self.delivery)}) + DONE

    def _text_event(self, number: int, text: str) -> dict[str, Any]:
        return self._event([self._choice(number, {"content": text})])

    def _chunk(
        self, number: int, delta: dict[str, Any], logprobs: Any = None, finished: str | None = None
    ) -> bytes:
        return event(self._event([self._choice(number, delta, logprobs, finished)]))

    def _choice(
        self, number: int, delta: dict[str, Any], logprobs: Any = None, finished: str | None = None
    ) -> dict[str, Any]:
        return {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finished}

    def _event(self, choices: list[Any]) -> dict[str, Any]:
        found = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        return {**found, "usage": None} if self._counts else found

    def _logprobs(self, *parts: AnswerPart) -> dict[str, Any] | None:
        if not self.body.logprobs:
            return None
        pieces = (piece for part in parts for piece in part.pieces)
        return of_chat(self.model.opened.tokenizer, pieces)


def _calls(calls: Sequence[CalledTool]) -> list[dict[str, Any]]:
    """As messages have them."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]
