"""What `finetune` reads: rows of a task as conversations or texts, held out by prompt, encoded.

A prompt stands on one side of the split only, and a row that is there twice counts once. Knows the
front doors of corpus, tokenize and batches; trains nothing.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.batches.conversations import Example
from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json
from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.instructions import (
    Message,
    Messages,
    Preference,
    conversation_of,
    place_of,
    records,
)
from hornbook.corpus.pairs import Pair, read_pairs
from hornbook.corpus.read import find_files, format_of, name_of, read_file
from hornbook.corpus.readers.lines import Fault
from hornbook.corpus.tables import JSON
from hornbook.tokenize.answers import encode_answers
from hornbook.tokenize.tokenizer import Tokenizer

PROMPTS = {
    "translate": "Translate the text.\n\n{text}",
    "summarize": "Summarize the text in a few sentences.\n\n{text}",
}
"""What is asked where the rows hold no instruction."""

FEWEST = 10
"""Rows, so that some can be held out twice."""
_HELD_OUT, _MOST_TEST, _MOST_VALIDATION = 0.1, 200, 64
_SOURCES = ("document", "article", "source", "dialogue", "text", "content", "input")
_SUMMARIES = ("summary", "highlights", "target", "tldr", "abstract", "output")
_PIECE = 2000
"""Characters of a piece of text, where there are too few documents to hold some out."""


class Sample(NamedTuple):
    """What one row teaches. messages: a conversation, or () for plain `text`.

    place: file and row, for messages to people. form: how it was written.
    """

    messages: Messages
    text: str
    form: str
    place: str


class Split(NamedTuple):
    """The samples, each on one side. doubles: rows left out because another says the same."""

    train: list[Any]
    validation: list[Any]
    test: list[Any]
    doubles: int


class Rows(NamedTuple):
    """What was read: samples, how many in which form, and what could not be used."""

    samples: list[Any]
    forms: dict[str, int]
    rejected: list[Rejection]


def read_rows(task: str, files: Sequence[Path], prompt: str | None = None) -> Rows:
    """The samples of one of the tasks instruct, continue, translate and summarize.

    prompt: what is asked, with {text} in it, where rows hold no instruction; None for PROMPTS.
    Raises UsageError for missing files and formats that hold no such rows.
    """
    asked = prompt or PROMPTS.get(task, "{text}")
    if task == "continue":
        found: Iterable[Sample | Rejection] = _texts(files)
    elif task == "translate" and (len(files) == 2 or format_of(files[0]) not in JSON):
        found = _pairs(files, asked)
    else:
        other = {"translate": _translation, "summarize": _summary}.get(task)
        found = itertools.chain.from_iterable(_conversations(f, asked, other) for f in files)
    return collect(found)


def collect(found: Iterable[Any]) -> Rows:
    """Samples and rejections apart, the forms counted."""
    rows = Rows([], {}, [])
    for item in found:
        if isinstance(item, Rejection):
            rows.rejected.append(item)
        else:
            rows.samples.append(item)
    rows.forms.update(Counter(sample.form for sample in rows.samples))
    return rows


def split(samples: Sequence[Any], seed: int) -> Split:
    """Hold a tenth out for the test and as much for validation, by prompt.

    Raises HornbookError for too few rows.
    """
    unique = list({hash_json(list(sample[:-2])): sample for sample in samples}.values())
    groups: dict[str, list[Any]] = {}
    for sample in unique:
        groups.setdefault(hash_json([seed, _prompt(sample)]), []).append(sample)
    if len(groups) < FEWEST:
        raise HornbookError(
            f"{len(groups)} different prompts are too few to tune on and hold some out; "
            f"{FEWEST} are the least."
        )
    size = max(1, round(_HELD_OUT * len(unique)))
    parts: dict[str, list[Any]] = {"test": [], "validation": [], "train": []}
    most = {"test": min(size, _MOST_TEST), "validation": min(size, _MOST_VALIDATION)}
    for _, group in sorted(groups.items()):
        part = next((p for p, limit in most.items() if len(parts[p]) < limit), "train")
        parts[part] += group
    return Split(**parts, doubles=len(samples) - len(unique))


def _prompt(sample: Any) -> list[Any]:
    """What decides on which side of the split a row stands: all that comes before an answer."""
    messages = sample.prompt if isinstance(sample, Preference) else sample.messages
    asked = itertools.takewhile(lambda message: message["role"] != "assistant", messages)
    text = "" if isinstance(sample, Preference) else sample.text
    return [[message["content"].split() for message in asked], text.split()]


def encode_samples(
    samples: Sequence[Sample], tokenizer: Tokenizer, context: int
) -> tuple[list[Example], int]:
    """The samples as examples of at most context + 1 tokens, and how many are longer.

    A text is cut into such pieces; a conversation is never cut. Raises HornbookError naming the
    sample that the template refuses or of which no token would be trained.
    """
    examples: list[Example] = []
    long = 0
    for sample in samples:
        if not sample.messages:
            examples += _pieces(sample.text, tokenizer, context)
            continue
        example = encode_conversation(sample.messages, sample.place, tokenizer)
        if len(example.ids) > context + 1:
            long += 1
        else:
            examples.append(example)
    return examples, long


def encode_conversation(messages: Messages, place: str, tokenizer: Tokenizer) -> Example:
    """A conversation with its answers marked; raises HornbookError as `encode_samples` does."""
    try:
        example = Example(*encode_answers(tokenizer, messages))
    except HornbookError as error:
        raise HornbookError(f"{place}: {error}") from None
    if not example.trained[1:].any():
        raise HornbookError(
            f"{place}: none of its tokens would be trained; the chat template marks no answer "
            "in it."
        )
    return example


def _pieces(text: str, tokenizer: Tokenizer, context: int) -> Iterator[Example]:
    """A document between two ends of text, every token of it a target once."""
    assert tokenizer.eos_id is not None
    ids = np.array([tokenizer.eos_id, *tokenizer.encode(text), tokenizer.eos_id], np.int64)
    for start in range(0, len(ids) - 1, context):
        part = ids[start : start + context + 1]
        yield Example(part, np.ones(len(part), bool))


def _conversations(
    file: Path, asked: str, other: Callable[[Mapping[str, Any]], tuple[str, str] | None] | None
) -> Iterator[Sample | Rejection]:
    """Rows as conversations; those of no form as what `other` finds in them, if it does."""
    for record in records(file):
        if isinstance(record, Rejection):
            yield record
            continue
        values = record.cells
        found = conversation_of(values)
        if isinstance(found, Fault):
            pair = other(values) if other and isinstance(values, Mapping) else None
            if pair is None or not pair[0].strip() or not pair[1].strip():
                yield record.rejection(name_of(file), found)
            else:
                yield _asking(asked, *pair, "source/target", place_of(file, record))
        else:
            yield Sample(found.messages, "", found.form, place_of(file, record))


def _asking(asked: str, source: str, answer: str, form: str, place: str) -> Sample:
    question: Message = {"role": "user", "content": asked.replace("{text}", source)}
    return Sample((question, {"role": "assistant", "content": answer}), "", form, place)


def _pairs(files: Sequence[Path], asked: str) -> Iterator[Sample | Rejection]:
    for number, pair in enumerate(read_pairs(files), 1):
        if isinstance(pair, Pair):
            yield _asking(asked, *pair, "pairs", f"{files[0]}, pair {number}")
        else:
            yield pair


def _translation(values: Mapping[str, Any]) -> tuple[str, str] | None:
    inner = values.get("translation")
    values = inner if isinstance(inner, Mapping) else values
    for source, target in (("source", "target"), ("src", "tgt")):
        if isinstance(values.get(source), str) and isinstance(values.get(target), str):
            return values[source], values[target]
    return None


def _summary(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """A document and its summary; a list of sentences is joined, of several summaries the first
    taken."""
    source = next((values[key] for key in _SOURCES if values.get(key)), None)
    target = next((values[key] for key in _SUMMARIES if values.get(key)), None)
    if isinstance(source, list):
        source = " ".join(map(str, source))
    if isinstance(target, list):
        target = target[0]
    both = isinstance(source, str) and isinstance(target, str)
    return (source, target) if both else None  # type: ignore[return-value]


def _texts(files: Sequence[Path]) -> Iterator[Sample | Rejection]:
    """Documents as they are; where there are few, their pieces."""
    found = [item for file in find_files(files) for item in read_file(file)]
    documents = [item for item in found if isinstance(item, Document)]
    yield from (item for item in found if isinstance(item, Rejection))
    for document in documents:
        whole = len(documents) >= 2 * FEWEST
        pieces = [document.text] if whole else _cut(document.text)
        for number, text in enumerate(pieces, 1):
            yield Sample((), text, "text", f"{document.id}, piece {number}")


def _cut(text: str) -> list[str]:
    """Paragraphs joined to pieces of some length."""
    pieces = [""]
    for paragraph in re.split(r"\n\s*\n", text):
        if len(pieces[-1]) > _PIECE:
            pieces.append("")
        pieces[-1] += paragraph.strip() + "\n\n"
    return [piece.strip() for piece in pieces if piece.strip()]


def said(rows: Rows, parts: Split) -> str:
    """What was read, for people."""
    forms = ", ".join(f"{count:,} {form}" for form, count in rows.forms.items())
    reasons = Counter(rejection.reason for rejection in rows.rejected)
    first = next(iter(rows.rejected), None)
    bad = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    lines = [f"Read {forms}; {parts.doubles:,} doubles left out."]
    if first is not None:
        where = first.file if first.line is None else f"{first.file}, row {first.line}"
        lines.append(f"  Rejected: {bad}; the first is {where}: {first.detail or first.reason}.")
    lines.append(
        f"  {len(parts.train):,} to train on, {len(parts.validation):,} to know when to stop, "
        f"{len(parts.test):,} to measure on."
    )
    return "\n".join(lines)
