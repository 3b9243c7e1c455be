"""Conversations through Jinja templates, keeping apart what the template says and what people say.

Where a message spells a special token it is disguised while the template works, so only the
template's own text holds special tokens. `{% generation %}` blocks mark what a model learns. Knows
text; knows no ids.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.core.errors import HornbookError

if TYPE_CHECKING:
    import jinja2

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
_BEGIN, _END, _OPEN, _CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
_TURN = re.compile(f"([{_BEGIN}{_END}])")
_DISGUISED = re.compile(f"{_OPEN}([0-9]+){_CLOSE}|[{_OPEN}{_CLOSE}]")
_PRIVATE = f"[{_BEGIN}-{_CLOSE}]"


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
) -> list[Piece]:
    """The conversation as pieces; the template's tokens among `special` are pieces of their own.

    names: what the template may call special tokens by, as {"eos_token": ...}.
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
    text = _render(template, disguised, add_generation_prompt, names)
    pieces, trained = [], False
    for part in _TURN.split(text):
        if part in (_BEGIN, _END):
            trained = part == _BEGIN
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
    """Undo `_disguise`; marks that a template has torn apart are dropped."""
    return _DISGUISED.sub(lambda found: chr(int(found[1])) if found[1] else "", text)


def _render(template: str, messages: list[dict], prompt: bool, names: Mapping[str, str]) -> str:
    try:
        values = {**names, "messages": messages, "add_generation_prompt": prompt}
        return _compiled(template).render(values)
    except HornbookError:
        raise
    except Exception as error:  # a template is a program by others: anything can go wrong in it
        raise HornbookError(f"The chat template cannot be used: {error}.") from None


@lru_cache(16)
def _compiled(template: str) -> "jinja2.Template":
    """Compiling takes several times as long as rendering, and data sets are rendered row by row."""
    return _environment().from_string(template)


@cache
def _environment() -> "jinja2.Environment":
    """What templates are written for, as in `transformers`, in a sandbox."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} ... {% endgeneration %}: puts marks around what it encloses."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            begin, end = (
                nodes.Output([nodes.TemplateData(m)], lineno=line) for m in (_BEGIN, _END)
            )
            return [begin, *body, end]

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _tojson(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def _refuse(reason: Any) -> None:
    raise HornbookError(f"The chat template refuses these messages: {reason}.")
