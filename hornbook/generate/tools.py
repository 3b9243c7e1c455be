"""Tools that a model may call: what is offered, what may be written, and the calls in an answer.

An answer with tools is constrained: its calls name a tool that is there, and their arguments are
JSON that fits the tool's schema. What is read back is therefore valid; a call that was cut off is
no call. Descriptions of tools and choices are those of OpenAI's API.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from hornbook.core.errors import UsageError, unknown
from hornbook.generate.call_form import CallForm, CallPart, Parts
from hornbook.generate.constrain import Grammar, embedded, json_schema, lark, quoted
from hornbook.generate.text import held_back

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID, _ID_RULE = "[A-Za-z0-9]{9}", "CALL_ID"
"""Of calls, where a template writes them (Mistral's)."""


def fitting_id(id: str) -> str:
    """The id of a call for such a template: itself, or one that is always the same for it."""
    return id if re.fullmatch(_ID, id) else hashlib.sha256(id.encode()).hexdigest()[:9]


_MOST_CALLS = 16
"""In one answer: a small model may not know when to end."""


class Tool(NamedTuple):
    """A function that may be called. parameters: a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]

    def declared(self) -> dict[str, Any]:
        """As chat templates want it."""
        return {"type": "function", "function": self._asdict()}


class CalledTool(NamedTuple):
    """id: its own. arguments: JSON, an object."""

    id: str
    name: str
    arguments: str


class ToolChoice(NamedTuple):
    """Whether tools must, may or must not be called; name: which, where it must be one: it is
    called once."""

    kind: Literal["auto", "none", "required"]
    name: str | None = None


def tools_of(given: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Tools as a request has them: {"type": "function", "function": {"name", "description",
    "parameters"}}. Raises UsageError naming the part that is wrong or unsupported."""
    found = [_tool(each, f"tools[{i}]") for i, each in enumerate(given)]
    names = [tool.name for tool in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UsageError(f"tools[{i}].function.name: {name!r} is there twice.")
    return found


def _tool(given: Any, where: str) -> Tool:
    if not isinstance(given, Mapping) or given.get("type") != "function":
        kind = given.get("type") if isinstance(given, Mapping) else given
        raise UsageError(f"{where}.type must be 'function', not {kind!r:.80}.")
    function = given.get("function")
    if not isinstance(function, Mapping):
        raise UsageError(f"{where}.function must be an object, not {function!r:.80}.")
    name, description = function.get("name"), function.get("description") or ""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{where}.function.name must be 1 to 64 letters, digits, - and _, not {name!r:.80}."
        )
    if not isinstance(description, str):
        raise UsageError(f"{where}.function.description must be a text, not {description!r:.80}.")
    return Tool(name, description, _parameters(function, f"{where}.function.parameters"))


def _parameters(function: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = function.get("parameters")
    if given is None:
        given = {"type": "object", "properties": {}, "additionalProperties": False}
    if not isinstance(given, Mapping) or given.get("type", "object") != "object":
        raise UsageError(f"{where} must be a JSON schema of an object, not {given!r:.80}.")
    schema = {"type": "object", **given}
    json_schema(schema, where)
    return schema


def choice_of(given: Any, tools: Sequence[Tool]) -> ToolChoice:
    """What tool_choice asks for: "auto", "none", "required", or {"type": "function", "function":
    {"name"}}; None is "auto" where there are tools. Raises UsageError naming what is wrong."""
    if given is None:
        return ToolChoice("auto" if tools else "none")
    if isinstance(given, Mapping) and given.get("type") == "function":
        function = given.get("function", given)
        name = function.get("name") if isinstance(function, Mapping) else None
        if name not in [tool.name for tool in tools]:
            raise unknown("tool_choice.function.name", str(name), [tool.name for tool in tools])
        return ToolChoice("required", str(name))
    if given not in ("auto", "none", "required"):
        raise UsageError(
            "tool_choice must be 'auto', 'none', 'required' or a function by its name, not "
            f"{given!r:.80}."
        )
    if given != "none" and not tools:
        raise UsageError(f"tool_choice is {given!r}, but there are no tools.")
    return ToolChoice(given)


def calls_grammar(
    form: CallForm,
    tools: Sequence[Tool],
    choice: ToolChoice,
    special: Mapping[str, int],
    otherwise: Mapping[str, Any] | None = None,
    several: bool = True,
) -> Grammar:
    """Answers that call tools. choice: "auto" allows text, and calls after it, too. special: the
    ids of special tokens. otherwise: a JSON schema that an answer without calls must fit. several:
    more than one call may follow."""
    named = [tool for tool in tools if choice.name in (None, tool.name)]
    begin, trigger = _lark(form.begin, special), form.trigger
    rules = ["%llguidance {}", f"{_ID_RULE}: /{_ID}/", r"TEXT: /(.|\n)*/"]
    if choice.kind == "required":
        rules.append("start: calls")
    elif otherwise is not None:
        rules += ["start: calls | other", f"other: {embedded(otherwise)}"]
    else:
        rest = _lark(_without(form.begin, trigger), special)
        rules += ["start: calls | TEXT", _trigger_rule(trigger, special)]
        begin = f"trigger {rest}"
    following = ""
    if several and form.between is not None:
        following = f"({_lark(form.between, special)} call){{0,{_MOST_CALLS - 1}}}"
    rules.append(f"calls: {begin} call {following} {_lark(form.end, special)}")
    rules.append("call: " + " | ".join(f"call_{i}" for i in range(len(named))))
    middle = _lark(form.middle, special)
    for i, tool in enumerate(named):
        rules.append(f"call_{i}: {quoted(tool.name)} {middle} arguments_{i}")
        rules.append(f"arguments_{i}: {embedded(tool.parameters)}")
    return lark("the form of calls", "\n".join(rules))


def _trigger_rule(trigger: CallPart, special: Mapping[str, int]) -> str:
    """Text up to and with what begins a call: from there on it can be nothing else."""
    if trigger.kind == "special":
        return f"trigger: TEXT {_lark((trigger,), special)}"
    return f"trigger[lazy]: TEXT {quoted(trigger.text)}"


def _without(parts: Parts, trigger: CallPart) -> Parts:
    first = parts[0].text[len(trigger.text) :]
    return ((CallPart(first, "text"),) if first else ()) + parts[1:]


def _lark(parts: Parts, special: Mapping[str, int]) -> str:
    found = {
        "text": lambda part: quoted(part.text),
        "special": lambda part: f"<[{special[part.text]}]>",
        "id": lambda part: _ID_RULE,
    }
    return " ".join(found[part.kind](part) for part in parts)


class CallReader:
    """Tells the calls in an answer from its text, as that comes in pieces."""

    def __init__(self, form: CallForm) -> None:
        self._form, self._trigger = form, form.trigger.text
        self._held, self._called = "", False

    def push(self, text: str) -> str:
        """The text that is sure to be no call; it is what an answer says beside its calls."""
        self._held += text
        if self._called:
            return ""
        at = self._held.find(self._trigger)
        self._called = at >= 0
        if not self._called:
            at = len(self._held) - held_back(self._held, (self._trigger,))
        ready, self._held = self._held[:at], self._held[at:]
        return ready.rstrip() if self._called else ready

    def end(self) -> tuple[str, list[CalledTool]]:
        """What is left of the text, and the calls that are whole."""
        if not self._called:
            return self._held, []
        return "", self._calls()

    def _calls(self) -> list[CalledTool]:
        form, text, found = self._form, self._held, list[CalledTool]()
        middle, end = _pattern(form.middle), _pattern(form.end)
        start, decoder = _pattern(form.begin).match(text), json.JSONDecoder()
        while start and (at := middle.search(text, start.end())):
            try:
                _, stop = decoder.raw_decode(text, at.end())
            except ValueError:
                break
            following = _pattern(form.between).match(text, stop) if form.between else None
            closed = following or end.match(text, stop)
            if closed is None:
                break
            own = next((one[1] for one in (at, closed) if one.re.groups), None)
            id = own or f"call_{secrets.token_hex(12)}"
            found.append(CalledTool(id, text[start.end() : at.start()], text[at.end() : stop]))
            start = following
        return found


def _pattern(parts: Parts) -> re.Pattern[str]:
    """Of what stands around calls; an id is its only group."""
    return re.compile(
        "".join(f"({_ID})" if part.kind == "id" else re.escape(part.text) for part in parts)
    )
