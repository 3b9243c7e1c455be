"""How a model writes calls of tools: found in its own chat template, by showing it some.

Templates of many models write calls as JSON, each in its own way: between tags (Hermes, Qwen,
SmolLM3), after a special token (Mistral), bare (Llama 3). A conversation with a call of a known
name and known arguments shows what stands around them, so no model needs a rule here. A template
that knows no tools, or writes calls as something else than JSON, gets the plain form: that of
Hermes, told to the model in words (`conversation`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.tokenize.tokenizer import Tokenizer

_TOOL, _NAME, _OTHER, _SAID = "hbtool", "hbnameone", "hbnametwo", "hbsaid"
_IDS = "hbcall001", "hbcall002"  # Mistral's template asks for nine letters and digits
_ARGUMENTS = re.compile(r'\{\s*"hbkey"\s*:\s*"hbvalue"\s*\}')
_TAG = re.compile(r"<[^<>\s]+>|\[[A-Z_]+\]")
_PRIVATE = 0xF0000
"""The first character of Unicode's plane 15: special tokens are single characters for a while."""


class CallPart(NamedTuple):
    """A piece of what stands around calls: text, a special token or the id of a call."""

    text: str
    kind: Literal["text", "special", "id"]


Parts = tuple[CallPart, ...]


@dataclass(frozen=True)
class CallForm:
    """begin: before the first name. middle: between a name and its arguments, which are JSON.
    between: before the next name; None where a template takes one call only. end: after the last
    arguments. native: whether the template shows tools and calls itself. spelled: whether it wants
    arguments as text (DeepSeek), not as an object."""

    begin: Parts
    middle: Parts
    between: Parts | None
    end: Parts
    native: bool
    spelled: bool = False

    @property
    def has_ids(self) -> bool:
        """Whether each call has an id of nine letters and digits (Mistral)."""
        return any(part.kind == "id" for part in (*self.middle, *self.end))

    @property
    def trigger(self) -> CallPart:
        """What a call begins with, as short as it can be told from other text."""
        first = self.begin[0]
        tag = _TAG.match(first.text) if first.kind == "text" else None
        return CallPart(tag[0], "text") if tag else first

    def written(self, calls: Sequence[tuple[str, str]]) -> str:
        """Calls (name, arguments as JSON) as the model writes them, without ids."""
        found = [_text(self.begin)]
        for i, (name, arguments) in enumerate(calls):
            found.append(_text(self.between or self.begin) if i else "")
            found += [name, _text(self.middle), arguments]
        return "".join([*found, _text(self.end)])


def _plain(text: str) -> Parts:
    return (CallPart(text, "text"),)


PLAIN = CallForm(
    begin=_plain('<tool_call>\n{"name": "'),
    middle=_plain('", "arguments": '),
    between=_plain('}\n</tool_call>\n<tool_call>\n{"name": "'),
    end=_plain("}\n</tool_call>"),
    native=False,
)
"""Where a template has no form of its own."""


def call_form(tokenizer: Tokenizer) -> CallForm:
    """The form of a model's calls. Raises HornbookError where it has no chat template."""
    shown = _Rendered(tokenizer)
    said = shown.answer({"role": "assistant", "content": _SAID})
    for spelled in (False, True):
        one = shown.answer(_calls(spelled, _NAME))
        if said is not None and one is not None and _TOOL in one and _NAME in one:
            two = shown.answer(_calls(spelled, _NAME, _OTHER))
            start = _in_common(said[: said.find(_SAID)], one)
            return _form(shown, one, two, start, spelled) or PLAIN
    return PLAIN


def _form(
    shown: "_Rendered", one: str, two: str | None, start: int, spelled: bool
) -> CallForm | None:
    """The form, from answers that call one function and two, in which calls begin at `start`; None
    where calls are no JSON."""
    first = _around(one, start, _NAME)
    if first is None:
        return None
    begin, middle = shown.parts(first[0].lstrip()), shown.parts(first[1])
    end, between = shown.parts(shown.until_stop(first[2])), None
    if two is not None and (found := _around(two, start, _NAME)) and found[:2] == first[:2]:
        following = _around(found[2], 0, _OTHER)
        if following is not None and shown.parts(following[1]) == middle:
            alike = shown.parts(shown.until_stop(following[2])) == end
            between = shown.parts(following[0]) if alike else None
    if not begin or any(part.kind == "id" for part in begin):
        return None
    return CallForm(begin, middle, between, end, True, spelled)


def _in_common(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _around(text: str, start: int, name: str) -> tuple[str, str, str] | None:
    """What stands before a name, between it and its arguments, and after them."""
    at = text.find(name, start)
    arguments = _ARGUMENTS.search(text, at + len(name)) if at >= 0 else None
    if arguments is None:
        return None
    return text[start:at], text[at + len(name) : arguments.start()], text[arguments.end() :]


def _calls(spelled: bool, *names: str) -> dict[str, Any]:
    arguments = '{"hbkey": "hbvalue"}' if spelled else {"hbkey": "hbvalue"}
    calls = [
        {
            "type": "function",
            "id": id,
            "function": {"name": name, "arguments": arguments},
        }
        for name, id in zip(names, _IDS, strict=False)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


_DECLARED = {
    "type": "function",
    "function": {
        "name": _TOOL,
        "description": "Nothing.",
        "parameters": {"type": "object", "properties": {"hbkey": {"type": "string"}}},
    },
}


class _Rendered:
    """What a template makes of an answer; special tokens are characters of plane 15."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._spelled = sorted(tokenizer.special)
        self._marks = {text: chr(_PRIVATE + i) for i, text in enumerate(self._spelled)}
        self._stops = {
            self._marks[text] for text, i in tokenizer.special.items() if i in tokenizer.stop_ids
        }

    def answer(self, message: Mapping[str, Any]) -> str | None:
        """The conversation with this answer; None where the template refuses it."""
        if self._tokenizer.chat_template is None:
            self._tokenizer.chat_pieces([])  # says that there is none
        try:
            pieces = self._tokenizer.chat_pieces(
                [{"role": "user", "content": "hbasked"}, message], tools=[_DECLARED]
            )
        except HornbookError:
            return None
        return "".join(self._marks[p.text] if p.special else p.text for p in pieces)

    def until_stop(self, text: str) -> str:
        """What stands before the token that ends an answer."""
        at = next((i for i, letter in enumerate(text) if letter in self._stops), len(text))
        return text[:at].rstrip()

    def parts(self, text: str) -> Parts:
        special = "".join(map(re.escape, self._marks.values()))
        pieces = re.split(f"([{special}]|{'|'.join(_IDS)})" if special else f"({_IDS[0]})", text)
        return tuple(self._part(piece) for piece in pieces if piece)

    def _part(self, piece: str) -> CallPart:
        if piece in _IDS:
            return CallPart("", "id")
        if piece in self._marks.values():
            return CallPart(self._spelled[ord(piece) - _PRIVATE], "special")
        return CallPart(piece, "text")


def _text(parts: Parts) -> str:
    return "".join(part.text for part in parts)
