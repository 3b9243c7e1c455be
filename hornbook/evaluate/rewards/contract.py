"""What a reward is: a program that says what an answer is worth, from 0 to 1.

It sees the text of the answer and what its row says that it is to be checked against. It knows no
model, so that nothing can be argued with.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hornbook.datasets.columns import as_text, opened, spelled
from hornbook.read.formats.lines import Fault


class Given(NamedTuple):
    """What there is to check the answers of a row against. prompt: all that the row asks, as text,
    without what a task says of itself.
    answer: that the row brings, or None. schema: for all rows, or None."""

    cells: Mapping[str, Any]
    prompt: str
    answer: str | None = None
    schema: str | None = None

    def cell(self, *names: str) -> Any:
        """The first column of these names that holds something; a list or object as such."""
        for name in names:
            own = spelled(name, self.cells)
            value = opened(self.cells[own]) if own is not None else None
            if value not in (None, "", [], {}):
                return value
        return None

    def text(self, *names: str) -> str | None:
        """The first column of these names that holds a text."""
        value = self.cell(*names)
        return None if value is None else as_text(value)


class Reward(NamedTuple):
    """goal: what the answers of a row are checked against, as plain data, or why there is nothing.
    score: of an answer, 0 to 1; of one that has not ended it is not asked. prompt: what is asked
    where rows hold no instruction, {text} for the row's text. quotes: whether to copy from the
    prompt is what is wanted. tokens: that an answer usually has, at most."""

    goal: Callable[[Given], Any | Fault]
    score: Callable[[str, Any], float]
    prompt: str = "{text}"
    quotes: bool = False
    tokens: int = 64
