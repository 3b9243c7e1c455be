"""What `finetune` reads: rows of a task as conversations or texts, and how they are encoded."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.batches.conversations import Example
from hornbook.core.errors import HornbookError
from hornbook.datasets.columns import as_text, opened, spelled
from hornbook.datasets.instructions import (
    FORM_NAMES,
    MASKED,
    Conversation,
    Message,
    Messages,
    conversation_of,
    place_of,
)
from hornbook.datasets.pairs import NO_PAIR, Pair, naming_of, pair_in, pair_of, read_pairs
from hornbook.datasets.samples import TaskRows, collect
from hornbook.datasets.split import FEWEST
from hornbook.datasets.tables import FORMATS, read_as
from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.header import BY_LOOKS
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.read.sources import find_files, format_of, read_file
from hornbook.tokenize.answers import encode_answers
from hornbook.tokenize.tokenizer import Tokenizer

PROMPTS = {
    "translate": "Translate the text.\n\n{text}",
    "summarize": "Summarize the text in a few sentences.\n\n{text}",
}
"""What is asked where the rows hold no instruction."""

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


def read_rows(
    task: str, files: Sequence[Path], prompt: str | None = None, most: int | None = None
) -> TaskRows:
    """The samples of one of the tasks instruct, continue, translate and summarize.

    prompt: what is asked, with {text} in it, where rows hold no instruction; None for PROMPTS.
    most: rows that are read, from the beginning.
    Raises UsageError for missing files and formats that hold no such rows.
    """
    asked = prompt or PROMPTS.get(task, "{text}")
    if task == "continue":
        found: Iterable[Sample | Rejection] = _texts(files)
    elif task == "translate" and format_of(files[0]) not in FORMATS:
        found = _aligned(files, asked)
    else:
        other = {"translate": pair_in, "summarize": _summary}.get(task)
        naming = naming_of(usual=FORM_NAMES) if task == "translate" else BY_LOOKS
        found = itertools.chain.from_iterable(
            read_as(file, partial(_sample, file, asked, other), naming) for file in files
        )
    return collect(itertools.islice(found, most))


def encode_sample(sample: Sample, tokenizer: Tokenizer, context: int) -> list[Example]:
    """A conversation as one example, a text in pieces of at most context + 1 tokens.

    Raises HornbookError naming the sample that the template refuses or of which no token would be
    trained.
    """
    if sample.messages:
        return [encode_conversation(sample.messages, sample.place, tokenizer)]
    return list(_pieces(sample.text, tokenizer, context))


def encode_conversation(messages: Messages, place: str, tokenizer: Tokenizer) -> Example:
    """A conversation with its answers marked; raises HornbookError as `encode_sample` does."""
    masked = [at for at, message in enumerate(messages) if MASKED in message]
    plain = [{name: message[name] for name in ("role", "content")} for message in messages]
    try:
        example = Example(*encode_answers(tokenizer, plain, masked))
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
    begin = tokenizer.prefix or [tokenizer.eos_id]
    ids = np.array([*begin, *tokenizer.encode(text), tokenizer.eos_id], np.int64)
    for start in range(0, len(ids) - 1, context):
        part = ids[start : start + context + 1]
        yield Example(part, np.ones(len(part), bool))


def _sample(
    file: Path, asked: str, other: Callable[[Mapping[str, Any]], Pair | Fault] | None, row: Row
) -> Sample | Fault:
    """A row as a conversation; one of no form as what `other` finds in it, if it does."""
    place = place_of(file, row)
    found = conversation_of(row.cells, place)
    if isinstance(found, Conversation):
        return Sample(found.messages, "", found.form, place)
    pair = other(row.cells) if other else found
    return pair if isinstance(pair, Fault) else _asking(asked, pair, "source/target", place)


def _asking(asked: str, pair: Pair, form: str, place: str) -> Sample:
    question: Message = {"role": "user", "content": asked.replace("{text}", pair.source)}
    return Sample((question, {"role": "assistant", "content": pair.target}), "", form, place)


def _aligned(files: Sequence[Path], asked: str) -> Iterator[Sample | Rejection]:
    for number, pair in enumerate(read_pairs(files), 1):
        if isinstance(pair, Pair):
            yield _asking(asked, pair, "pairs", f"{files[0]}, pair {number}")
        else:
            yield pair


def _summary(cells: Mapping[str, Any]) -> Pair | Fault:
    """A document and its summary; a list of sentences is joined, of several summaries the first
    taken."""
    sides = []
    for names in (_SOURCES, _SUMMARIES):
        own = (cells[name] for name in (spelled(name, cells) for name in names) if name)
        sides.append(opened(next(filter(None, own), None)))
    source, target = sides
    if source is None or target is None:
        return Fault(NO_PAIR, f"found {', '.join(cells)}")
    if isinstance(source, list):
        source = " ".join(map(str, source))
    if isinstance(target, list) and target:
        target = target[0]
    return pair_of(as_text(source), as_text(target))


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
