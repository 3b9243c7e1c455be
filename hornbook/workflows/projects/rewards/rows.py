"""From the files of a tuning on rewards to prompts on three sides of a split, each with what its
answers are held against."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.datasets.columns import as_text, spelled
from hornbook.datasets.instructions import AskedRow, Messages, asked_in, place_of
from hornbook.datasets.samples import TaskRows, collect
from hornbook.datasets.split import NothingToLearn, SampleSplit, said, split
from hornbook.datasets.tables import read_as
from hornbook.evaluate.rewards.contract import Given
from hornbook.evaluate.rewards.quote import CONTEXTS
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.rollouts import CheckedPrompt
from hornbook.workflows.projects.rewards.request import RewardsRequest

_QUESTIONS = ("question", "query", "problem", "text", "input")
_SIDES = ("train", "validation", "test")


class RewardSample(NamedTuple):
    """What one row asks, and what its answers are held against; text: nothing, as of all that
    asks. form, place: how it was written, and where."""

    messages: Messages
    text: str
    goal: Any
    form: str
    place: str


class RewardRows(NamedTuple):
    """What was read, how it was split, and the prompts of each side. refused: why the chat template
    cannot write a row. room: tokens that an answer may have."""

    rows: TaskRows
    split: SampleSplit
    prompts: dict[str, list[CheckedPrompt]]
    refused: tuple[str, ...]
    room: int

    def lengths(self) -> list[int]:
        """Tokens of each training prompt."""
        return [len(one.ids) for one in self.prompts["train"]]

    def fitting(self, longest: int) -> dict[str, list[CheckedPrompt]]:
        """Prompts that leave room for an answer in so many tokens. Raises NothingToLearn when a
        side is left with none."""
        found = {
            name: [one for one in side if len(one.ids) + self.room <= longest]
            for name, side in self.prompts.items()
        }
        for name, side in found.items():
            if not side:
                raise NothingToLearn(
                    f"No prompt of the {name} part is short enough; lower --max-tokens."
                )
        return found

    def facts(self, longest: int) -> dict[str, Any]:
        """For result.json."""
        every = sum(map(len, self.prompts.values()))
        return {
            "forms": self.rows.forms,
            "rejected": len(self.rows.rejected),
            "doubles": self.split.doubles,
            "too_long": every - sum(map(len, self.fitting(longest).values())),
            "refused": len(self.refused),
            **{name: len(side) for name, side in self.prompts.items()},
        }


def read_samples(request: RewardsRequest, files: Sequence[Path]) -> TaskRows:
    """The samples of all files. Raises UsageError as `read_rows` does."""
    make = partial(_sample, request)
    return collect(item for file in files for item in read_as(file, partial(make, file)))


def split_rows(
    request: RewardsRequest, files: Sequence[Path], progress: Progress
) -> tuple[TaskRows, SampleSplit]:
    """Read and split the rows of a request; what was found and rejected is said.

    Raises NothingToLearn when nothing can be used.
    """
    rows = read_samples(request, files)
    if not rows.samples:
        first = next(iter(rows.rejected), None)
        why = f" The first: {first.reason}, {first.detail}." if first else ""
        raise NothingToLearn(
            f"No row of {', '.join(map(str, files))} can be rewarded by {request.reward}.{why}"
        )
    parts = split(rows.samples, request.seed)
    progress.say(*said(rows, parts))
    return rows, parts


def encoded(rows: TaskRows, parts: SampleSplit, tokenizer: Tokenizer, room: int) -> RewardRows:
    """The rows that the template can write, as ids. room: tokens that an answer may have.

    Raises NothingToLearn when a side is left with nothing.
    """
    refused: list[str] = []
    prompts: dict[str, list[CheckedPrompt]] = {}
    kept: dict[str, list[RewardSample]] = {}
    for name in _SIDES:
        prompts[name], kept[name] = [], []
        for sample in getattr(parts, name):
            try:
                ids, _ = tokenizer.encode_chat(sample.messages, add_generation_prompt=True)
            except HornbookError as error:
                refused.append(f"{sample.place}: {error}")
                continue
            prompts[name].append(CheckedPrompt(ids.tolist(), sample.goal))
            kept[name].append(sample)
        if not kept[name]:
            raise NothingToLearn(
                f"None of {len(getattr(parts, name)):,} rows can be used; the first: {refused[-1]}"
            )
    split = SampleSplit(**kept, doubles=parts.doubles, note=parts.note)
    return RewardRows(rows, split, prompts, tuple(refused), room)


def _sample(request: RewardsRequest, file: Path, row: Row) -> RewardSample | Fault:
    """A row as what it asks and what its answers are held against."""
    place = place_of(file, row)
    found, question = asked_in(row.cells, place), None
    if isinstance(found, Fault) and (question := _question(request, row.cells)):
        found = _put(request, question, place)
    if isinstance(found, Fault):
        return found
    prompt = _with_context(request, found.prompt, row.cells)
    every = "\n".join(message["content"] for message in prompt)
    given = Given(row.cells, question or every, found.answer, request.json_schema)
    goal = request.program.goal(given)
    if isinstance(goal, Fault):
        return goal
    return RewardSample(prompt, "", goal, found.form, place)


def _question(request: RewardsRequest, cells: Mapping[str, Any]) -> str | None:
    """What a row of no conversation asks, after its context where that is to be quoted."""
    names = [name for name in (spelled(one, cells) for one in _QUESTIONS) if name]
    text = next(filter(None, (as_text(cells[name]) for name in names)), None)
    if text is None or not request.program.quotes:
        return text
    context = _context(cells)
    return f"{context}\n\n{text}" if context and context not in text else text


def _put(request: RewardsRequest, question: str, place: str) -> AskedRow:
    """A question put as the task says."""
    asked = (request.prompt or request.program.prompt).replace("{text}", question)
    return AskedRow(({"role": "user", "content": asked},), None, "question", place)


def _with_context(
    request: RewardsRequest, messages: Messages, cells: Mapping[str, Any]
) -> Messages:
    """What is to be quoted from stands in the prompt, or is put before what is asked last."""
    context = _context(cells) if request.program.quotes else ""
    if not context or any(context in message["content"] for message in messages):
        return messages
    last = messages[-1]
    return (*messages[:-1], {**last, "content": f"{context}\n\n{last['content']}"})


def _context(cells: Mapping[str, Any]) -> str:
    """The text that a row gives beside what it asks, "" where there is none."""
    return Given(cells, "").text(*CONTEXTS) or ""
