"""From the files of a tuning run to encoded samples on three sides of a split.

Knows the tasks' rows and their encoding; trains nothing.
"""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.batches.preferences import Pair
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.instructions import Messages, Preference, read_preferences
from hornbook.corpus.pydocs import read_pydocs
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.finetune_data import (
    Rows,
    Split,
    collect,
    encode_conversation,
    encode_samples,
    read_rows,
    said,
    split,
)
from hornbook.workflows.finetune_goal import Parts
from hornbook.workflows.finetune_run import FinetuneRequest

GENERAL = 48 * 2**10
"""Characters of the general text that are scored."""


class Held(NamedTuple):
    """What was read and how it was split. long: samples left out for their length."""

    rows: Rows
    split: Split
    long: int = 0

    def facts(self) -> dict[str, Any]:
        """For result.json."""
        return {
            "forms": self.rows.forms,
            "rejected": len(self.rows.rejected),
            "doubles": self.split.doubles,
            "too_long": self.long,
            "train": len(self.split.train),
            "validation": len(self.split.validation),
            "test": len(self.split.test),
        }


def rows_of(request: FinetuneRequest, files: Sequence[Path], progress: Progress) -> Held:
    """Read and split the rows of a request; what was found and rejected is said.

    Raises HornbookError when nothing can be used.
    """
    if request.task == "preference":
        rows = collect(item for file in files for item in read_preferences(file))
    else:
        rows = read_rows(request.task, files, request.prompt)
    if not rows.samples:
        first = next(iter(rows.rejected), None)
        why = f" The first: {first.reason}, {first.detail}." if first else ""
        raise HornbookError(
            f"No row of {', '.join(map(str, files))} can be used to {request.task}.{why}"
        )
    parts = split(rows.samples, request.seed)
    progress.say(said(rows, parts))
    return Held(rows, parts)


def encoded(
    request: FinetuneRequest, parts: Split, tokenizer: Tokenizer, context: int
) -> tuple[list[int], Callable[[int], tuple[Parts, int]]]:
    """The training samples' lengths in tokens, and the parts once a row's length is chosen.

    What is too long is left out and counted. Raises HornbookError when a part is left with nothing.
    """
    if request.task == "preference":
        pairs = Parts(*([_pair(p, tokenizer) for p in side] for side in parts[:3]))
        lengths = [max(len(e.ids) - 1 for e in pair) for pair in pairs.train]

        def choose(longest: int) -> tuple[Parts, int]:
            kept = Parts(
                *([p for p in side if max(len(e.ids) for e in p) <= longest + 1] for side in pairs)
            )
            return _whole(kept), sum(map(len, pairs)) - sum(map(len, kept))

        return lengths, choose
    window = min(context, request.context or 512)
    # Texts are cut to windows, conversations are not cut at all.
    most = window if request.task == "continue" else 2**30
    sides = Parts(*(encode_samples(side, tokenizer, most)[0] for side in parts[:3]))

    def fitting(longest: int) -> tuple[Parts, int]:
        kept = Parts(*([e for e in side if len(e.ids) <= longest + 1] for side in sides))
        return _whole(kept), sum(map(len, sides)) - sum(map(len, kept))

    return [len(example.ids) - 1 for example in sides.train], fitting


def _pair(sample: Preference, tokenizer: Tokenizer) -> Pair:
    """Both conversations, of which only the last answer is trained."""
    start = len(tokenizer.encode_chat(sample.prompt, add_generation_prompt=True)[0])
    sides = []
    for answer in (sample.chosen, sample.rejected):
        messages: Messages = (*sample.prompt, {"role": "assistant", "content": answer})
        example = encode_conversation(messages, sample.place, tokenizer)
        example.trained[: max(1, start - 1)] = False
        sides.append(example)
    return Pair(*sides)


def _whole(parts: Parts) -> Parts:
    for name, side in parts._asdict().items():
        if not side:
            raise HornbookError(f"No sample of the {name} part is short enough; raise --context.")
    return parts


def general_text(file: Path | None) -> str:
    """The beginning of a user's text, or every third topic of Python's documentation.

    Raises UsageError for a file that is no text.
    """
    if file is None:
        picked = itertools.islice(read_pydocs(), 0, 60, 3)
        return "\n\n".join(document.text for document in picked)[:GENERAL]
    try:
        text = file.read_text(encoding="utf-8")[:GENERAL]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--general {file} cannot be read as UTF-8 text: {error}.") from None
    if not text.strip():
        raise UsageError(f"--general {file} is empty.")
    return text
