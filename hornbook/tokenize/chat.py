"""Conversations through Jinja templates, keeping apart what the template says and what people say.

Where a message spells a special token it is disguised while the template works, so only the
template's own text holds special tokens. `{% generation %}` blocks mark what a model learns. Knows
text; knows no ids.
"""

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from hornbook.tokenize import sandbox
from hornbook.tokenize.sandbox import BEGIN, END

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] }}<|im_end|>\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PLAIN = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "### Response:\n"
    "{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}{{ '\n\n' }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% else %}### Instruction:\n{{ message['content'] }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)
"""For tokenizers without tokens for turns: Alpaca's headings (Taori et al. 2023)."""

BOS = "{{ bos_token }}"
"""Before either, for tokenizers that put a token before every text."""

_MARKS = re.compile(r"\{%[-+]?\s*generation\b")

# Characters of Unicode's private use area, which no template writes itself.
_OPEN, _CLOSE = "\ue002", "\ue003"
_TURN = re.compile(f"([{BEGIN}{END}])")
_DISGUISED = re.compile(f"{_OPEN}([0-9]{{1,7}}){_CLOSE}|[{_OPEN}{_CLOSE}]")
_PRIVATE = f"[{BEGIN}-{_CLOSE}]"


class Piece(NamedTuple):
    """Some text. special: a special token, written by the template. trained: to be learned."""

    text: str
    special: bool
    trained: bool


def marks_answers(template: str) -> bool:
    """Whether a template says itself what a model learns, by generation blocks."""
    return _MARKS.search(template) is not None


def render(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool,
    names: Mapping[str, str],
    special: Collection[str],
    tools: Sequence[Mapping[str, Any]] = (),
) -> list[Piece]:
    """The conversation as pieces; the template's tokens among `special` are pieces of their own.

    names: what the template may call special tokens by, as {"eos_token": ...}. tools: functions
    that the model may call, as OpenAI's API has them; a template without any sees none.
    Raises HornbookError when the template is broken, or refuses the messages.
    """
    longest_first = sorted(special, key=len, reverse=True)
    tokens = "|".join(re.escape(token) for token in longest_first) or "(?!)"
    spelled = re.compile(f"(?=(?:{tokens}))(?s:.)|{_PRIVATE}")
    # As in `transformers`, a key without a value is a key that is not there.
    disguised = [
        {key: _disguise(value, spelled) for key, value in message.items() if value is not None}
        for message in messages
    ]
    values = {"messages": disguised, "add_generation_prompt": add_generation_prompt}
    if tools:
        values["tools"] = [_disguise(tool, spelled) for tool in tools]
    text = sandbox.render(template, {**names, **values})
    pieces, trained = [], False
    for part in _TURN.split(text):
        if part in (BEGIN, END):
            trained = part == BEGIN
            continue
        for at, word in enumerate(re.split(f"({tokens})", part)):
            pieces.append(Piece(_reveal(word), at % 2 == 1, trained))
    return [piece for piece in pieces if piece.text]


def _disguise(value: Any, spelled: re.Pattern[str]) -> Any:
    """Replace the first character of each spelled token, and our marks, by its number in marks.

    Templates can still trim, split and compare all other text. `transformers` does the like when
    asked to (`sanitize_control_tokens`).
    """
    if isinstance(value, str):
        return spelled.sub(lambda found: f"{_OPEN}{ord(found[0])}{_CLOSE}", value)
    if isinstance(value, Mapping):
        return {key: _disguise(inner, spelled) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_disguise(inner, spelled) for inner in value]
    return value


def _reveal(text: str) -> str:
    """Undo `_disguise`; marks that a template has torn apart, or made up, are dropped."""

    def character(found: re.Match[str]) -> str:
        return chr(int(found[1])) if found[1] and int(found[1]) <= sys.maxunicode else ""

    return _DISGUISED.sub(character, text)
