"""From the files of a tuning run to encoded samples on three sides of a split."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.batches.preferences import PreferencePair
from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.datasets.instructions import Messages, Preference, read_preferences
from hornbook.datasets.samples import TaskRows, collect
from hornbook.datasets.split import NothingToLearn, SampleSplit, held_apart, said, split
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.projects.answers.data import (
    encode_conversation,
    encode_sample,
    read_rows,
)
from hornbook.workflows.projects.answers.goal import Parts
from hornbook.workflows.projects.answers.request import AnswersRequest


class Encoded(NamedTuple):
    """What was read, how it was split, and each side as ids.

    refused: why the chat template cannot write a row, or trains nothing of it; these are left out.
    """

    rows: TaskRows
    split: SampleSplit
    parts: Parts
    refused: tuple[str, ...]

    def lengths(self) -> list[int]:
        """Tokens of each training sample."""
        return [_length(one) for one in self.parts.train]

    def fitting(self, longest: int) -> Parts:
        """What is no longer than a row. Raises NothingToLearn when a side is left with nothing."""
        found = Parts(*([one for one in side if _length(one) <= longest] for side in self.parts))
        for name, side in found._asdict().items():
            if not side:
                raise NothingToLearn(
                    f"No sample of the {name} part is short enough; raise --context."
                )
        return found

    def facts(self, longest: int) -> dict[str, Any]:
        """For result.json."""
        fitting = sum(map(len, self.fitting(longest)))
        return {
            "forms": self.rows.forms,
            "rejected": len(self.rows.rejected),
            "doubles": self.split.doubles,
            "too_long": sum(map(len, self.parts)) - fitting,
            "refused": len(self.refused),
            "train": len(self.split.train),
            "validation": len(self.split.validation),
            "test": len(self.split.test),
        }


def split_rows(
    request: AnswersRequest, files: Sequence[Path], held_out: Sequence[Path], progress: Progress
) -> tuple[TaskRows, SampleSplit]:
    """Read and split the rows of a request; what was found and rejected is said.

    held_out: files of rows to measure on; some of `files` where there are none. Raises
    NothingToLearn when nothing can be used.
    """
    rows = _read(request, files)
    if not rows.samples:
        first = next(iter(rows.rejected), None)
        why = f" The first: {first.reason}, {first.detail}." if first else ""
        raise NothingToLearn(
            f"No row of {', '.join(map(str, files))} can be used to {request.task}.{why}"
        )
    if held_out:
        parts = held_apart(rows.samples, _read(request, held_out).samples, request.seed)
    else:
        parts = split(rows.samples, request.seed)
    progress.say(*said(rows, parts))
    return rows, parts


def _read(request: AnswersRequest, files: Sequence[Path]) -> TaskRows:
    if request.task == "preference":
        return collect(item for file in files for item in read_preferences(file))
    return read_rows(request.task, files, request.prompt)


def encoded(
    request: AnswersRequest, rows: TaskRows, parts: SampleSplit, tokenizer: Tokenizer, context: int
) -> Encoded:
    """The rows that can be encoded, as ids. context: of the model.

    Raises NothingToLearn when a part is left with nothing.
    """
    window = min(context, request.context or 512)
    # Texts are cut to windows, conversations are not cut at all.
    most = window if request.task == "continue" else 2**30

    def encode(sample: Any) -> list[Any]:
        if request.task == "preference":
            return [_pair(sample, tokenizer)]
        return list(encode_sample(sample, tokenizer, most))

    refused: list[str] = []
    kept: dict[str, list[Any]] = {}
    sides: dict[str, list[Any]] = {}
    for name in Parts._fields:
        side = getattr(parts, name)
        kept[name], sides[name] = _usable(side, encode, refused)
        if not kept[name]:
            raise NothingToLearn(
                f"None of {len(side):,} rows can be used; the first: {refused[-1]}"
            )
    return Encoded(
        rows,
        SampleSplit(**kept, doubles=parts.doubles, note=parts.note),
        Parts(**sides),
        tuple(refused),
    )


def _usable(
    samples: Sequence[Any], encode: Callable[[Any], list[Any]], refused: list[str]
) -> tuple[list[Any], list[Any]]:
    """The samples that can be encoded, with their examples; why others cannot joins `refused`."""
    kept, examples = [], []
    for sample in samples:
        try:
            examples += encode(sample)
            kept.append(sample)
        except HornbookError as error:
            refused.append(str(error))
    return kept, examples


def _length(one: Any) -> int:
    """Tokens that a row of an example, or of the longer one of a pair, takes."""
    pair = one if isinstance(one, PreferencePair) else (one,)
    return max(len(example.ids) - 1 for example in pair)


def _pair(sample: Preference, tokenizer: Tokenizer) -> PreferencePair:
    """Both conversations, of which only the last answer is trained."""
    try:
        start = len(tokenizer.encode_chat(sample.prompt, add_generation_prompt=True)[0])
    except HornbookError as error:
        raise HornbookError(f"{sample.place}: {error}") from None
    sides = []
    for answer in (sample.chosen, sample.rejected):
        messages: Messages = (*sample.prompt, {"role": "assistant", "content": answer})
        example = encode_conversation(messages, sample.place, tokenizer)
        example.trained[: max(1, start - 1)] = False
        sides.append(example)
    return PreferencePair(*sides)
