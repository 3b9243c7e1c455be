"""Exact answers: the answer is one of those that the row names.

Letters of either case, forms of one character, white space and what stands around an answer (stops,
quotation marks, brackets) are no difference; numbers are compared as numbers. Where an answer marks
its end by `####` or `<answer>`, only that counts: what was thought before it is free.
"""

import re
import unicodedata
from decimal import Context, Decimal

from hornbook.datasets.columns import as_text
from hornbook.evaluate.rewards.contract import Given, Reward
from hornbook.read.formats.lines import Fault

_COLUMNS = ("answer", "answers", "solution", "ground_truth", "reference", "target", "label")
_THOUGHT, _OPEN, _CLOSE = "####", "<answer>", "</answer>"
_AROUND = " \t\n\"'`“”„‘’«»「」『』()[]{}*_"
_AFTER = f"{_AROUND}.,;:!?。，；：！？"
_NUMBER = re.compile(r"([-+]?)([0-9]{0,40}|[0-9]{1,3}(?:,[0-9]{3}){1,12})(\.[0-9]{1,40})?")
_MINUS = str.maketrans("−–", "--")
_WHOLE = Context(prec=100)
"""Digits that are compared: more than a number that is taken has."""


def goal(given: Given) -> list[str] | Fault:
    """The answers that are right, as they are compared."""
    cell = given.cell(*_COLUMNS)
    if isinstance(cell, dict):  # as SQuAD has them
        cell = cell.get("text")
    cells = cell if isinstance(cell, list) else [given.answer if cell is None else cell]
    texts = [as_text(one) for one in cells]
    found = sorted({plain(text) for text in texts if text} - {""})
    return found or Fault("no answer", f"none of {', '.join(_COLUMNS)} holds one")


def score(answer: str, right: list[str]) -> float:
    """1 for one of the right answers, else 0."""
    return float(plain(answer) in right)


def plain(text: str) -> str:
    """An answer as it is compared; numbers in one way of writing."""
    found = " ".join(unicodedata.normalize("NFKC", _last(text)).casefold().split())
    found = found.lstrip(_AROUND).rstrip(_AFTER).translate(_MINUS)
    number = _NUMBER.fullmatch(found)
    if number is None or not any(number.groups()[1:]):
        return found
    sign, whole, rest = number.groups()
    value = Decimal(f"{sign}{whole.replace(',', '')}{rest or ''}").normalize(_WHOLE)
    return f"{value or Decimal(0):f}"  # not -0


def _last(text: str) -> str:
    """What an answer comes to, where it says so."""
    if _THOUGHT in text:
        return text.rpartition(_THOUGHT)[2]
    if _OPEN in text:
        return text.rpartition(_OPEN)[2].partition(_CLOSE)[0]
    return text


REWARD = Reward(goal, score, tokens=32)
