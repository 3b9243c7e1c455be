"""Paragraphs that go: those an earlier document had word for word, those in another language.

A paragraph is a line of text that is not blank. Works part by part; of every long paragraph eight
bytes are in memory.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.pool import Runner
from hornbook.corpus.document_files import text_batches
from hornbook.corpus.language import language_of
from hornbook.corpus.texts import Texts

REPEATED, FOREIGN = "repeated paragraph", "paragraph language"
_BATCH = 4 * 2**20
_LEAST_LANGUAGE = 80
"""Bytes of a paragraph whose language is asked for: shorter ones are told wrongly too often."""
_SPACE = " \t\n\r\v\f"


class ParagraphTask(NamedTuple):
    """documents: the part. chosen: (N,) bool, the only ones that are looked at.

    least_bytes: of a paragraph that may repeat, None to look for none. languages: that paragraphs
    may be in, None for all.
    """

    documents: Path
    chosen: np.ndarray
    least_bytes: int | None
    languages: tuple[str, ...] | None


class Paragraphs(NamedTuple):
    """(P,) each, of a part in order: the document, its bytes, a hash (0: not looked for), foreign.

    Only of documents that were looked at.
    """

    owners: np.ndarray
    sizes: np.ndarray
    hashes: np.ndarray
    foreign: np.ndarray


class Gone(NamedTuple):
    """What goes of a part: (N,) the share of each document's bytes, and by document the numbers of
    its paragraphs and why.
    """

    shares: np.ndarray
    reasons: dict[int, dict[int, str]]


def paragraphs_of(task: ParagraphTask) -> Paragraphs:
    """What is known of every paragraph of a part."""
    found, start = [_nothing()], 0
    for ids, documents in text_batches(task.documents, _BATCH):
        chosen = task.chosen[start : start + len(ids)]
        texts = Texts([text if keep else "" for text, keep in zip(documents, chosen, strict=True)])
        lines = texts.lines
        sizes = lines.stops - lines.starts
        hashes, foreign = np.zeros(len(sizes), np.uint64), np.zeros(len(sizes), bool)
        if task.least_bytes is not None:
            long = sizes >= task.least_bytes
            hashes[long] = texts.hashes(lines)[long] | np.uint64(1)
        if task.languages is not None:
            data = texts.data.tobytes()
            for i in np.flatnonzero(sizes >= _LEAST_LANGUAGE):
                line = data[lines.starts[i] : lines.stops[i]].decode("utf-8")
                code = language_of(line).code
                foreign[i] = code not in ("", *task.languages)
        found.append(Paragraphs(lines.owners + start, sizes, hashes, foreign))
        start += len(ids)
    return Paragraphs(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def find_gone(tasks: list[ParagraphTask], runner: Runner) -> list[Gone]:
    """What goes of each part. The first document with a paragraph keeps it, however often."""
    parts = list(runner.map(paragraphs_of, tasks))
    before = np.cumsum([0, *(len(task.chosen) for task in tasks)])
    hashes = np.concatenate([part.hashes for part in parts])
    owners = np.concatenate([p.owners + start for p, start in zip(parts, before, strict=False)])
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    again = (hashes != 0) & (owners[first][group] != owners)
    gone, start = [], 0
    for task, part in zip(tasks, parts, strict=True):
        gone.append(_gone(part, again[start : start + len(part.hashes)], len(task.chosen)))
        start += len(part.hashes)
    return gone


def without(text: str, gone: dict[int, str]) -> tuple[str, Counter[str]]:
    """The text without the paragraphs of these numbers, and bytes taken out by reason.

    A paragraph's line break goes with it; something must be left.
    """
    kept, taken, number = [], Counter[str](), 0
    for line in text.split("\n"):
        reason = None
        if line.strip(_SPACE):
            reason, number = gone.get(number), number + 1
        if reason is None:
            kept.append(line)
        else:
            taken[reason] += len(line.encode("utf-8")) + 1
    assert kept, "a document of which nothing is left is dropped whole"
    return "\n".join(kept), taken


def _gone(part: Paragraphs, again: np.ndarray, count: int) -> Gone:
    """again: (P,) paragraphs that an earlier document has."""
    taken = again | part.foreign
    size = np.bincount(part.owners, part.sizes, count)
    shares = np.bincount(part.owners, part.sizes * taken, count) / np.maximum(size, 1)
    numbers = np.arange(len(part.owners)) - np.searchsorted(part.owners, part.owners)
    reasons: dict[int, dict[int, str]] = {}
    for i in np.flatnonzero(taken).tolist():
        why = REPEATED if again[i] else FOREIGN
        reasons.setdefault(int(part.owners[i]), {})[int(numbers[i])] = why
    return Gone(shares, reasons)


def _nothing() -> Paragraphs:
    whole, none = np.zeros(0, np.int64), np.zeros(0, bool)
    return Paragraphs(whole, whole, np.zeros(0, np.uint64), none)
