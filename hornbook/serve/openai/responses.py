"""POST /v1/responses: as chat completions, in the form of OpenAI's newer API; nothing is kept."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from hornbook.generate.tools import CalledTool
from hornbook.serve.answered import AnswerForm, Begun, WritingRoute, answered
from hornbook.serve.answering import WantedAnswer, begin, check_texts, most_tokens, sampling
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import AnswerPart, Delivery
from hornbook.serve.errors import RequestRefused
from hornbook.serve.openai.asked_response import messages_of, response_format_of, tools_of
from hornbook.serve.openai.logprobs import of_chat
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.responses import ResponseBody
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import STREAMED, event

router = APIRouter(route_class=StrictRoute, tags=["responses"])


@router.post("/v1/responses", responses=STREAMED)
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


def _begun(model: ServedModel, body: ResponseBody, config: ServeConfig) -> Begun:
    """The answer, ready to be written."""
    tools, choice = tools_of(body)
    messages = messages_of(body)
    check_texts(model, (each["content"] for each in messages), "input")
    prompt = model.chat_format.prompt(
        messages, tools, choice, response_format_of(body), body.parallel_tool_calls
    )
    most = most_tokens(model, [prompt.ids], body.max_output_tokens, config, "input")
    drawn = sampling(body, most, body.top_logprobs or 0 if _wants_logprobs(body) else None)
    wanted = WantedAnswer(drawn, prompt.stop_ids, 1, prompt.grammar)
    return Begun(begin(model, [prompt.ids], wanted), prompt.form)


def _wants_logprobs(body: ResponseBody) -> bool:
    return bool(body.top_logprobs or "message.output_text.logprobs" in (body.include or ()))


class ResponseForm(AnswerForm):
    """As the Responses API has it: a message, calls of functions, and a stream that tells its
    life. output: the items that are whole."""

    def __init__(
        self, model: ServedModel, body: ResponseBody, delivery: Delivery, begun: Begun
    ) -> None:
        super().__init__(model, body, delivery, begun)
        self._id, self._item = f"resp_{secrets.token_hex(16)}", f"msg_{secrets.token_hex(16)}"
        self._created, self._number, self._speaks = time.time(), 0, False
        self._logprobs: list[Any] = []
        self._calls: list[dict[str, Any]] = []

    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """The response in one object."""
        for part in parts:
            self.part(part)
        self.last()
        return self._response(self._status())

    def first(self) -> bytes:
        """The response begins."""
        response = self._response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def part(self, part: AnswerPart) -> bytes:
        """Its text, and its calls."""
        said, logprobs, found = self.said[0].take(part), list[Any](), b""
        if _wants_logprobs(self.body):
            logprobs = of_chat(self.model.opened.tokenizer, part.pieces)["content"]
            self._logprobs += logprobs
        if said.text:
            found = self._begin_message() + self._event(
                "response.output_text.delta", **self._place(), delta=said.text, logprobs=logprobs
            )
        if said.calls:
            found += self._end_message()
            found += b"".join(map(self._call, said.calls))
        return found

    def last(self) -> bytes:
        """The message ends, and with it the response. An answer without a word is an empty one."""
        status, found = self._status(), b""
        if not self._calls:
            found = self._begin_message() + self._end_message()
        return found + self._event(f"response.{status}", response=self._response(status))

    def _begin_message(self) -> bytes:
        """A message, and in it a text, if they have not begun."""
        if self._speaks:
            return b""
        self._speaks = True
        message = self._message("in_progress", [])
        return self._event(
            "response.output_item.added", output_index=0, item=message
        ) + self._event("response.content_part.added", **self._place(), part=self._text("", []))

    def _end_message(self) -> bytes:
        if not self._speaks:
            return b""
        whole = self._text(self.said[0].text, self._logprobs)
        done = {**self._place(), "text": self.said[0].text, "logprobs": self._logprobs}
        message = self._message(self._status(), [whole])
        return (
            self._event("response.output_text.done", **done)
            + self._event("response.content_part.done", **self._place(), part=whole)
            + self._event("response.output_item.done", output_index=0, item=message)
        )

    def _call(self, call: CalledTool) -> bytes:
        """All of a call's life at once: it is told when it is whole."""
        item = {
            "id": f"fc_{secrets.token_hex(16)}", "type": "function_call", "call_id": call.id,
            "name": call.name, "arguments": call.arguments, "status": "completed",
        }  # fmt: skip
        at = {"output_index": self._speaks + len(self._calls)}
        place = {**at, "item_id": item["id"]}
        begun = {**item, "arguments": "", "status": "in_progress"}
        arguments = "response.function_call_arguments"
        self._calls.append(item)
        return (
            self._event("response.output_item.added", **at, item=begun)
            + self._event(f"{arguments}.delta", **place, delta=call.arguments)
            + self._event(f"{arguments}.done", **place, name=call.name, arguments=call.arguments)
            + self._event("response.output_item.done", **at, item=item)
        )

    def _status(self) -> str:
        return "incomplete" if self.said[0].finished == "length" else "completed"

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

    def _output(self, status: str) -> list[dict[str, Any]]:
        text = self._text(self.said[0].text, self._logprobs)
        return [self._message(status, [text])] * self._speaks + self._calls

    def _response(self, status: str) -> dict[str, Any]:
        body, ended = self.body, status != "in_progress"
        given = body.model_dump(
            include={"text", "tools", "tool_choice"}, by_alias=True, exclude_none=True
        )
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": time.time() if status == "completed" else None,
            "error": None,
            "incomplete_details": (
                {"reason": "max_output_tokens"} if status == "incomplete" else None
            ),
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self.model.name,
            "output": self._output(status) if ended else [],
            "parallel_tool_calls": body.parallel_tool_calls,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "text": {"format": {"type": "text"}, **given.get("text", {})},
            "tool_choice": given.get("tool_choice", "auto"),
            "tools": [
                {"strict": False, "parameters": None, "description": None, **tool}
                for tool in given.get("tools", [])
                if tool.get("type") == "function"
            ],
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
