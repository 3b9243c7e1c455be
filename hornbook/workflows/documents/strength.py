"""Whether a model is any good for an index: tried on questions made of its own documents.

Of each, the text that the question was made of and another are given; a model that cannot tell
them apart more often than chance allows is left out, and it is said.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.stats import Estimate, wilson
from hornbook.workflows.documents.asking import OpenIndex

_TRIED = 16
_LEAST = 0.75
"""Share of the questions for which the right text must seem likelier."""


class Strength(NamedTuple):
    """right: the share of made questions for which the right text seemed likelier."""

    right: Estimate
    questions: int

    @property
    def is_weak(self) -> bool:
        """Whether the model's judgement is worth nothing here."""
        return self.right.value < _LEAST

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"right": self.right._asdict(), "questions": self.questions, "weak": self.is_weak}


def strength(
    opened: OpenIndex, model: Path, task: str, likely: Callable[[str, str], float]
) -> Strength | None:
    """How often a model finds the right text likelier for a question, kept for the index.

    likely: of a text and a question. None where the index is too small to make questions.
    """
    name = f"{task} {model}"
    if (kept := opened.learned(name)) is not None:
        return Strength(wilson(*kept), kept[1])
    made = opened.made(_TRIED)
    if len(made) < _TRIED:
        return None
    texts = [opened.index.text(*one.place) for one in made]
    right = 0
    with opened.progress.bar("trying the model", len(made), "questions") as advance:
        for i, one in enumerate(made):
            own, other = (likely(text, one.question) for text in (texts[i], texts[i - 1]))
            right += own > other
            advance(1)
    opened.keep(name, [right, len(made)])
    return Strength(wilson(right, len(made)), len(made))
