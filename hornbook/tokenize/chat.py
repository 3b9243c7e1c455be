"""Conversations through Jinja templates, keeping apart what the template says and what people say.

The template is rendered with marks where the messages go; only the template's own text may hold
special tokens. `{% generation %}` blocks mark what a model learns. Knows text; knows no ids.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
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

# Characters of Unicode's private use area, which no template writes itself.
_BEGIN, _END, _OPEN, _CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
_MARKS = re.compile(f"({_BEGIN}|{_END}|{_OPEN}[0-9]+{_CLOSE})")


class Piece(NamedTuple):
    """Some text. template: written by the template, not by a person. trained: to be learned."""

    text: str
    template: bool
    trained: bool


def render(
    template: str,
    messages: Sequence[Mapping[str, str]],
    add_generation_prompt: bool,
    names: Mapping[str, str],
    special: Iterable[str],
) -> list[Piece]:
    """The conversation as pieces; the template's tokens among `special` are pieces of their own.

    names: what the template may call special tokens by, as {"eos_token": ...}.
    Raises HornbookError when the template is broken, or refuses the messages.
    """
    contents = [message["content"] for message in messages]
    marked = [{**message, "content": f"{_OPEN}{i}{_CLOSE}"} for i, message in enumerate(messages)]
    text = _render(template, marked, add_generation_prompt, names)
    tokens = re.compile("(" + "|".join(re.escape(token) for token in special) + ")")
    pieces, trained = [], False
    for part in _MARKS.split(text):
        if part in (_BEGIN, _END):
            trained = part == _BEGIN
        elif part.startswith(_OPEN):
            pieces.append(Piece(contents[int(part[1:-1])], False, trained))
        else:
            pieces += [Piece(word, True, trained) for word in tokens.split(part)]
    return [piece for piece in pieces if piece.text]


def _render(template: str, messages: list[dict], prompt: bool, names: Mapping[str, str]) -> str:
    import jinja2

    try:
        return (
            _environment()
            .from_string(template)
            .render(messages=messages, add_generation_prompt=prompt, **names)
        )
    except jinja2.TemplateError as error:
        raise HornbookError(f"The chat template cannot be used: {error}.") from None


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
    return environment


def _tojson(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def _refuse(reason: Any) -> None:
    raise HornbookError(f"The chat template refuses these messages: {reason}.")
