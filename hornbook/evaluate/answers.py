"""Which of several choices an answer means: a place, a letter or a text. What is none is refused.

An integer is a place from 0 and a text is a text, for choices may be numbers themselves: of
["2", "4", "1"] the answer "1" is the last and the answer 1 the second. Digits in a text that is no
choice may be counted from 0 or from 1; nobody can tell, so the task must say.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from hornbook.core.errors import UsageError
from hornbook.evaluate.templates import Row, as_template, evaluate, missing, no_field, render

AnswerIs = Literal["any", "index", "number", "letter", "text"]
"""How a task says it: a place from 0, a place from 1, a letter from A, a text among the choices."""

_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_EXPRESSION = re.compile(r"\{\{-?((?:(?!\}\}|\{\{).)*?)-?\}\}", re.DOTALL)


def listed(key: str, given: tuple[str, ...] | str, row: Row) -> list[str]:
    """The texts of a task's key: templates, or one Jinja expression that gives a list.

    Raises UsageError for a field that the row lacks, and for what is no list of texts.
    """
    if not isinstance(given, str):
        return [render(template, row) for template in given]
    if (name := missing(as_template(given), row)) is not None:
        raise no_field(given, name, row)
    found = evaluate(given, row)
    if not isinstance(found, list | tuple) or not found or "" in map(str, found):
        raise UsageError(f"{key}: {given!r} gives {found!r}, not a list of texts.")
    return [str(text) for text in found]


def value_of(template: str, row: Row) -> Any:
    """What a template gives: of one that is a single expression its value, a number as a number."""
    alone = _EXPRESSION.fullmatch(template.strip())
    return evaluate(alone[1], row) if alone else render(template, row).strip()


def place_of(answer: Any, choices: Sequence[str], kind: AnswerIs = "any") -> int:
    """The place from 0 of the right choice. Raises UsageError for an answer that is none."""
    texts = [plain_text(choice) for choice in choices]
    text = plain_text(answer)
    place = None
    if kind in ("index", "number"):
        place = _whole(answer)
        place = place - 1 if place is not None and kind == "number" else place
    elif kind == "letter":
        place = _letter(text)
    elif kind == "text" or (text in texts and not _is_place(answer)):
        place = texts.index(text) if text in texts else None
    elif isinstance(answer, str):
        place = _letter(text)
    elif not isinstance(answer, bool):
        place = _whole(answer)
    elif len(choices) == 2:
        place = int(answer)
    if place is None or not 0 <= place < len(choices):
        raise _refused(answer, choices, kind)
    return place


def _is_place(answer: Any) -> bool:
    return not isinstance(answer, bool | str) and _whole(answer) is not None


def _whole(answer: Any) -> int | None:
    """The whole number that it is or spells; gaps in a column make its numbers 1.0."""
    if isinstance(answer, str):
        return int(answer) if re.fullmatch(r"\s*\d{1,9}\s*", answer) else None
    if isinstance(answer, float):
        return int(answer) if answer.is_integer() else None
    return int(answer) if isinstance(answer, int) and not isinstance(answer, bool) else None


def _letter(text: str) -> int | None:
    found = _LETTER.fullmatch(text)
    return ord(found[1].upper()) - ord("A") if found else None


def plain_text(value: Any) -> str:
    """A value as a text, as it is in JSON: true, 1 for 1.0."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _refused(answer: Any, choices: Sequence[str], kind: AnswerIs) -> UsageError:
    """With what the task can say where the answer could be meant otherwise."""
    what = {
        "any": "neither a choice, a letter nor a place",
        "index": "no place from 0",
        "number": "no place from 1",
        "letter": "no letter",
        "text": "no choice",
    }[kind]
    hint = ""
    if kind == "any" and (
        _whole(answer) is not None or plain_text(answer) in map(plain_text, choices)
    ):
        hint = " Say in the task what it is by answer_is: index (from 0), number (from 1) or text."
    return UsageError(
        f"answer: {answer!r} is {what} of {len(choices)} choices: {', '.join(map(repr, choices))}."
        f"{hint}"
    )
