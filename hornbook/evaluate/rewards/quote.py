"""Quotes: an answer quotes, and all that stands in quotation marks stands in the context as well.

Character for character, but for white space: where a text was broken into lines says nothing. What
is quoted need not be to the point; a row whose question matters needs another reward.
"""

from hornbook.datasets.columns import as_text
from hornbook.evaluate.metrics import words
from hornbook.evaluate.rewards.contract import Given, Reward
from hornbook.read.formats.lines import Fault

CONTEXTS = ("context", "passage", "document", "source", "article")
_MARKS = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "『": "』"}
_LEAST = 4
"""Words, or Chinese characters, of which one quote at least must have so many: single words stand
in any text."""


def goal(given: Given) -> str | Fault:
    """The context, of a column of its own or else all that is asked, on one line."""
    cell = given.cell(*CONTEXTS)
    if isinstance(cell, list):
        cell = " ".join(map(str, cell))
    text = given.prompt if cell is None else as_text(cell)
    found = " ".join((text or "").split())
    if len(words(found)) < _LEAST:
        return Fault("no context", "nothing in it is long enough to be quoted")
    return found


def score(answer: str, context: str) -> float:
    """1 where one quote or more is there and each is verbatim, else 0."""
    found = quotes(answer)
    if found is None or not any(len(words(quote)) >= _LEAST for quote in found):
        return 0.0
    return float(all(" ".join(quote.split()) in context for quote in found))


def quotes(text: str) -> list[str] | None:
    """What stands between quotation marks, the outer ones where they lie in each other; None where
    a mark is never closed."""
    found, at = list[str](), 0
    while at < len(text):
        close = _MARKS.get(text[at])
        if close is not None:
            end = text.find(close, at + 1)
            if end < 0:
                return None
            found.append(text[at + 1 : end])
            at = end
        at += 1
    return found


REWARD = Reward(
    goal,
    score,
    "{text}\n\nAnswer with a sentence of the text, copied word for word, in quotation marks.",
    quotes=True,
)
