"""POST /v1/responses: as chat completions, in the form of OpenAI's newer API; nothing is kept."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.generate import constrain
from hornbook.generate.text import Writing
from hornbook.serve.answered import AnswerForm, WritingRoute, answered
from hornbook.serve.answering import WantedAnswer, begin, most_tokens, sampling
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import AnswerPart, Delivery
from hornbook.serve.errors import RequestRefused
from hornbook.serve.openai.logprobs import of_chat
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.messages import text_of
from hornbook.serve.schemas.responses import (
    InputCall,
    InputCallOutput,
    JsonObject,
    JsonOfSchema,
    ResponseBody,
)
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import event

router = APIRouter(route_class=StrictRoute, tags=["responses"])


@router.post("/v1/responses")
async def respond(body: ResponseBody, request: Request, server: State) -> Response:
    """Answer a conversation. With `stream` the answer comes as numbered events."""
    for name in ("previous_response_id", "conversation"):
        if getattr(body, name) is not None:
            raise RequestRefused(
                f"{name}: this server keeps no conversation; send all of it as input.",
                name,
                "unsupported_parameter",
            )
    route = WritingRoute("chat", "responses", _begun, ResponseForm)
    return await answered(route, body, request, server)


def _begun(model: ServedModel, body: ResponseBody, config: ServeConfig) -> list[Writing]:
    """The answer, ready to be written."""
    tokenizer = model.opened.tokenizer
    prompt = tokenizer.encode_chat(_messages(body), True)[0].tolist()
    most = most_tokens(model, [prompt], body.max_output_tokens, config, "input")
    drawn = sampling(body, most, body.top_logprobs or 0 if _wants_logprobs(body) else None)
    return begin(
        model, [prompt], WantedAnswer(drawn, tokenizer.stop_ids, "input", 1, _grammar(body))
    )


def _messages(body: ResponseBody) -> list[dict[str, Any]]:
    """The conversation as chat templates take it."""
    first = [] if body.instructions is None else [("system", body.instructions)]
    given = [] if not isinstance(body.input, str) else [("user", body.input)]
    found: list[dict[str, Any]] = [
        {"role": role, "content": text} for role, text in (*first, *given)
    ]
    for item in [] if isinstance(body.input, str) else body.input:
        if isinstance(item, InputCall):
            function = {"name": item.name, "arguments": item.arguments}
            call = {"id": item.call_id, "type": "function", "function": function}
            found.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif isinstance(item, InputCallOutput):
            own = {"role": "tool", "content": text_of(item.output), "tool_call_id": item.call_id}
            found.append(own)
        else:
            role = "system" if item.role == "developer" else item.role
            found.append({"role": role, "content": text_of(item.content)})
    return found


def _grammar(body: ResponseBody) -> constrain.Grammar | None:
    """What the answer must be."""
    form = None if body.text is None else body.text.format
    if isinstance(form, JsonObject):
        return constrain.json_schema({"type": "object"})
    return constrain.json_schema(form.schema_) if isinstance(form, JsonOfSchema) else None


def _wants_logprobs(body: ResponseBody) -> bool:
    return bool(body.top_logprobs or "message.output_text.logprobs" in (body.include or ()))


class ResponseForm(AnswerForm):
    """As the Responses API has it: one message, and a stream that tells its life."""

    def __init__(self, model: ServedModel, body: ResponseBody, delivery: Delivery) -> None:
        super().__init__(model, body, delivery)
        self._id, self._item = f"resp_{secrets.token_hex(16)}", f"msg_{secrets.token_hex(16)}"
        self._created, self._number = time.time(), 0
        self._logprobs: list[Any] = []
        self._finished: str | None = None

    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """The response in one object."""
        for part in parts:
            self._take(part)
        return self._response(self._status())

    def first(self) -> bytes:
        """The response begins, and in it a message, and in that a text."""
        response = self._response("in_progress")
        return (
            self._event("response.created", response=response)
            + self._event("response.in_progress", response=response)
            + self._event("response.output_item.added", output_index=0,
                          item=self._message("in_progress", []))
            + self._event("response.content_part.added", **self._place(), part=self._text("", []))
        )  # fmt: skip

    def part(self, part: AnswerPart) -> bytes:
        """Its text."""
        logprobs = self._take(part)
        if not part.text:
            return b""
        return self._event(
            "response.output_text.delta", **self._place(), delta=part.text, logprobs=logprobs
        )

    def last(self) -> bytes:
        """The text ends, and with it the message and the response."""
        text, status = self.delivery.writings[0].answer.text, self._status()
        whole = self._text(text, self._logprobs)
        done = {**self._place(), "text": text, "logprobs": self._logprobs}
        return (
            self._event("response.output_text.done", **done)
            + self._event("response.content_part.done", **self._place(), part=whole)
            + self._event("response.output_item.done", output_index=0,
                          item=self._message(status, [whole]))
            + self._event(f"response.{status}", response=self._response(status))
        )  # fmt: skip

    def _take(self, part: AnswerPart) -> list[Any]:
        """Note what a part says besides its text; its probabilities."""
        self._finished = part.finished or self._finished
        if not _wants_logprobs(self.body):
            return []
        found = of_chat(self.model.opened.tokenizer, part.pieces)["content"]
        self._logprobs += found
        return list(found)

    def _status(self) -> str:
        return "incomplete" if self._finished == "length" else "completed"

    def _event(self, kind: str, **values: Any) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number - 1, **values}, kind)

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    def _text(self, text: str, logprobs: list[Any]) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def _message(self, status: str, content: list[Any]) -> dict[str, Any]:
        return {
            "id": self._item, "type": "message", "role": "assistant", "status": status,
            "content": content,
        }  # fmt: skip

    def _response(self, status: str) -> dict[str, Any]:
        body, ended = self.body, status != "in_progress"
        why = {"reason": "max_output_tokens"} if status == "incomplete" else None
        text = self.delivery.writings[0].answer.text
        output = [self._message(status, [self._text(text, self._logprobs)])] if ended else []
        form = {"type": "text"}
        if body.text is not None and body.text.format is not None:
            form = body.text.format.model_dump(by_alias=True, exclude_none=True)
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": time.time() if status == "completed" else None,
            "error": None,
            "incomplete_details": why,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self.model.name,
            "output": output,
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "text": {"format": form},
            "tool_choice": body.tool_choice or "auto",
            "tools": [],
            "top_logprobs": body.top_logprobs or 0,
            "top_p": 1.0 if body.top_p is None else body.top_p,
            "truncation": "disabled",
            "usage": self._usage() if ended else None,
        }

    def _usage(self) -> dict[str, Any]:
        delivery = self.delivery
        prompt, written = delivery.prompt_tokens, delivery.written_tokens
        cached = delivery.cached_tokens
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + written,
        }
