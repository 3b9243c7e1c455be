"""A conversation as a request of OpenAI's API has it, to a prompt and to what its answer may be.

The prompt is the model's own chat template's, tools included where it has them; where it has none,
they are told in a system message, and calls and results are plain text in the conversation. With
neither tools nor calls the messages go into the template as they are, so the ids are those that
the model was trained on.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.generate.call_form import PLAIN, CallForm, call_form
from hornbook.generate.constrain import Grammar, json_schema
from hornbook.generate.tools import (
    CalledTool,
    CallReader,
    Tool,
    ToolChoice,
    calls_grammar,
    choice_of,
    fitting_id,
    tools_of,
)
from hornbook.tokenize.tokenizer import Tokenizer

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TOLD = """You can call functions. Each line describes one in JSON:
{tools}

To call one, write nothing but this, a block for each call:
{example}
What it returns is between <tool_response> and </tool_response>."""


class ChatPrompt(NamedTuple):
    """ids: the prompt's. stop_ids: end the answer. grammar: what it must be, if anything. form: of
    the calls that may be in it; None where there may be none."""

    ids: list[int]
    stop_ids: frozenset[int]
    grammar: Grammar | None
    form: CallForm | None

    def reader(self) -> CallReader | None:
        """Who tells calls from text in one answer."""
        return CallReader(self.form) if self.form else None


class ChatFormat:
    """How one model is talked to. Made once a model: its template is looked at."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises HornbookError for a model without a chat template."""
        self._tokenizer, self.form = tokenizer, call_form(tokenizer)

    def prompt(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: Any = None,
        response_format: Mapping[str, Any] | None = None,
        parallel_tool_calls: bool = True,
    ) -> ChatPrompt:
        """The prompt of a request, by the names of OpenAI's API.

        Raises UsageError naming the part of the request that is wrong or not supported, and
        HornbookError where the template refuses the messages. A prompt that is too long is not
        shortened: the engine refuses it.
        """
        offered = tools_of(tools or ())
        choice = choice_of(tool_choice, offered)
        schema = response_schema(response_format)
        turns = messages_of(messages)
        called = [] if choice.kind == "none" else offered
        ids = self._ids(turns, called)
        grammar = self._grammar(called, choice, schema, parallel_tool_calls)
        form = self.form if called else None
        return ChatPrompt(ids, self._tokenizer.stop_ids, grammar, form)

    def _grammar(
        self,
        called: Sequence[Tool],
        choice: ToolChoice,
        schema: Mapping[str, Any] | None,
        several: bool,
    ) -> Grammar | None:
        if called:
            special, several = self._tokenizer.special, several and choice.name is None
            return calls_grammar(self.form, called, choice, special, schema, several)
        return json_schema(schema, "response_format") if schema is not None else None

    def _ids(self, turns: list[dict[str, Any]], called: Sequence[Tool]) -> list[int]:
        if self.form.native:
            written = [self._as_written(turn) for turn in turns]
            return self._encoded(written, [tool.declared() for tool in called])
        told = _in_words(turns)
        if not called:
            return self._encoded(told)
        words = _TOLD.format(
            tools="\n".join(json.dumps(tool._asdict(), ensure_ascii=False) for tool in called),
            example=PLAIN.written([("NAME", "{...}")]),
        )
        first = told[0] if told[0]["role"] == "system" else None
        rest = told[1:] if first else told
        system = f"{first['content']}\n\n{words}" if first else words
        try:
            return self._encoded([{"role": "system", "content": system}, *rest])
        except HornbookError:  # a template that knows no system message
            if not rest:
                raise
            asked = {**rest[0], "content": f"{system}\n\n{rest[0]['content']}"}
            return self._encoded([asked, *rest[1:]])

    def _as_written(self, turn: dict[str, Any]) -> dict[str, Any]:
        """A message with ids and arguments of calls as the template wants them."""
        found, form = dict(turn), self.form
        if "tool_calls" in turn:
            found["tool_calls"] = [_call_for(form, call) for call in turn["tool_calls"]]
        if form.has_ids and "tool_call_id" in turn:
            found["tool_call_id"] = fitting_id(turn["tool_call_id"])
        return found

    def _encoded(
        self, turns: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        ids: list[int] = self._tokenizer.encode_chat(turns, True, tools)[0].tolist()
        return ids


def finish_reason_of(finished: str, calls: Sequence[CalledTool]) -> str:
    """OpenAI's finish_reason of an answer: "stop", "length" or "tool_calls". finished: an
    `Answer.finish_reason`; a full context is "length"."""
    if finished != "stop":
        return "length"
    return "tool_calls" if calls else "stop"


def response_schema(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The JSON schema that response_format asks for; None for free text. Raises UsageError naming
    the part that is wrong or not supported."""
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, Mapping) else given
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        raise unknown("response_format.type", str(kind), ("text", "json_object", "json_schema"))
    inner = given.get("json_schema")
    if not isinstance(inner, Mapping):
        raise UsageError(f"response_format.json_schema must be an object, not {inner!r:.80}.")
    schema = inner.get("schema", {})
    json_schema(schema, "response_format.json_schema.schema")
    return dict(schema)


def messages_of(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages, looked at: contents are texts, arguments of calls are objects. "developer" is a
    system message. Raises UsageError naming the part that is wrong or not supported."""
    if not given:
        raise UsageError("messages: a conversation needs a message.")
    return [_message(each, f"messages[{i}]") for i, each in enumerate(given)]


def _message(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UsageError(f"{where} must be an object, not {given!r:.80}.")
    role = given.get("role")
    if role not in _ROLES:
        raise unknown(f"{where}.role", str(role), _ROLES)
    found = {"role": "system" if role == "developer" else role}
    calls = given.get("tool_calls")
    content = _content(given.get("content"), f"{where}.content")
    if content is None and not calls:
        raise UsageError(f"{where}.content is missing.")
    found["content"] = content or ""
    if calls:
        if role != "assistant":
            raise UsageError(f"{where}.tool_calls: only an assistant calls tools, not {role!r}.")
        found["tool_calls"] = [
            _call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)
        ]
    for key in ("name", "tool_call_id", "reasoning_content"):
        if isinstance(given.get(key), str):
            found[key] = given[key]
    return found


def _content(given: Any, where: str) -> str | None:
    """A text, or parts that are texts."""
    if given is None or isinstance(given, str):
        return given
    if not isinstance(given, Sequence):
        raise UsageError(f"{where} must be a text or parts, not {given!r:.80}.")
    for i, part in enumerate(given):
        known = isinstance(part, Mapping) and part.get("type") in ("text", "input_text")
        if not known or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, Mapping) else part
            raise UsageError(f"{where}[{i}]: only parts of text are supported, not {kind!r:.80}.")
    return "".join(part["text"] for part in given)


def _call(given: Any, where: str) -> dict[str, Any]:
    function = given.get("function") if isinstance(given, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise UsageError(f"{where}.function needs a name and arguments.")
    arguments = function.get("arguments") or "{}"
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}.function.arguments are not JSON: {error}.") from None
    if not isinstance(arguments, Mapping):
        raise UsageError(f"{where}.function.arguments must be an object, not {arguments!r:.80}.")
    called = {"name": function["name"], "arguments": arguments}
    return {"type": "function", "id": str(given.get("id") or ""), "function": called}


def _call_for(form: CallForm, call: Mapping[str, Any]) -> dict[str, Any]:
    id, function = call["id"], call["function"]
    if form.spelled:
        function = {**function, "arguments": json.dumps(function["arguments"], ensure_ascii=False)}
    return {**call, "id": fitting_id(id) if form.has_ids else id, "function": function}


def _in_words(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Calls and results as text, for a template that knows none; results of one turn together."""
    found: list[dict[str, Any]] = []
    for before, turn in zip([None, *turns], turns, strict=False):
        if turn["role"] == "tool":
            text = f"<tool_response>\n{turn['content']}\n</tool_response>"
            if before is not None and before["role"] == "tool":
                found[-1]["content"] += f"\n{text}"
            else:
                found.append({"role": "user", "content": text})
        elif "tool_calls" in turn:
            functions = [call["function"] for call in turn["tool_calls"]]
            written = PLAIN.written(
                [(f["name"], json.dumps(f["arguments"], ensure_ascii=False)) for f in functions]
            )
            text = f"{turn['content']}\n{written}" if turn["content"] else written
            found.append({"role": "assistant", "content": text})
        else:
            found.append(dict(turn))
    return found
