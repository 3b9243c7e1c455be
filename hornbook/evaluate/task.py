"""A task as plain data: what is asked, of which file, and how the answers are scored.

A task is a small YAML file; those that come with Hornbook lie in `tasks`. Its `kind` decides how it
is measured, one file a kind in `kinds`. Knows files and rows; knows nothing of models.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from hornbook.core.config import Config
from hornbook.core.stats import Estimate
from hornbook.evaluate.rows import LeftOut, read_rows
from hornbook.evaluate.templates import Row, missing, no_field, render

if TYPE_CHECKING:
    from hornbook.evaluate.evaluated_model import EvaluatedModel

Metrics = dict[str, Estimate]


class Item(NamedTuple):
    """number: of the row in its file, from 0. content: what makes it this item and no other."""

    number: int
    row: Row
    content: str


class Prompt(NamedTuple):
    """text: as the model sees it, special tokens spelled out. ids: the same.

    shots: how many examples fitted. cut: characters of the item's text that did not.
    """

    text: str
    ids: list[int]
    chat: bool
    shots: int
    cut: int


@dataclass
class ItemResult:
    """An item and what came of it. found: plain data by name, for metrics and the file of samples.

    prompt: what the model was asked; None where it was asked nothing.
    """

    item: Item
    found: dict[str, Any]
    prompt: Prompt | None = None


class Task(Config, ABC):
    """What all kinds have. Texts in `{{ }}` are Jinja templates over a row's fields.

    about: one line on the task and where it comes from. data: the file with the test items, under
    HORNBOOK_DATA or beside the task's file. columns: names of a table without a header. train: the
    file from which shots are drawn. test_share: of one file that has no split, how much is tested;
    equal contents stay on one side. content: what makes an item; leakage and copies are told by
    it. distinct: test equal contents once. groups: by what scores are given in parts as well, the
    finest last.
    prompt: what is asked; for kinds that score whole texts, what stands before them. chat: ask
    through the model's chat template, if it has one. system: said first. separator: between shots.
    shots: how many examples are shown, unless the command says. balanced: as many of each label.
    cut: the field that is shortened, at its end, where a prompt is longer than the context.
    """

    about: str = ""
    data: str | None = None
    columns: tuple[str, ...] | None = None
    train: str | None = None
    test_share: float | None = Field(default=None, gt=0, lt=1)
    content: str
    distinct: bool = False
    groups: dict[str, str] = Field(default_factory=dict)
    prompt: str = ""
    chat: bool = False
    system: str | None = None
    separator: str = "\n\n"
    shots: int = Field(default=0, ge=0)
    balanced: bool = False
    cut: str | None = None

    def read(self, path: Path, left_out: LeftOut) -> list[dict[str, Any]]:
        """The rows of a file of this task. left_out: told of rows that no tokenizer can read."""
        return read_rows(path, self.columns, left_out)

    def templates(self) -> Iterator[str]:
        """All templates, to be tried on a row before work."""
        yield self.content
        yield self.prompt
        yield from self.groups.values()
        yield from filter(None, (self.system,))

    def check(self, row: Row) -> None:
        """Raises UsageError for a template or `cut` that names a field the row lacks."""
        for template in self.templates():
            if (name := missing(template, row)) is not None:
                raise no_field(template, name, row)
            render(template, row)
        if self.cut is not None and self.cut not in row:
            raise no_field(f"cut: {self.cut}", self.cut, row)
        self.shown(row)

    @abstractmethod
    def shown(self, row: Row) -> str:
        """What a shot shows as the answer. Raises UsageError where the row has none."""

    def label(self, row: Row) -> str:
        """By what shots are balanced and splits are stratified; "" for kinds without labels."""
        return ""

    @abstractmethod
    def measure(
        self, evaluated: "EvaluatedModel", items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        """Ask the model about every item, in order."""

    @abstractmethod
    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        """The scores of samples, each with its interval; seed: of the bootstrap."""

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> Mapping[str, Metrics]:
        """Scores, by name, of what anybody could answer without a model; none if unknown."""
        return {}

    def details(self, samples: Sequence[ItemResult]) -> dict[str, Any]:
        """What more the result says: how it was scored, tables that are no single figure."""
        return {}
