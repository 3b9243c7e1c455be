"""Which documents give evaluation data away: they hold most of an item, or a passage of it.

After Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, section 8), who look for the 8-grams of each
item. Letters' case and punctuation make no difference. Near copies of items are `duplicates`' to
find.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.core.home import home
from hornbook.corpus.document_files import text_batches
from hornbook.corpus.texts import Texts, grams
from hornbook.datasets.columns import opened
from hornbook.datasets.tables import FORMATS, JSON, NOT_UNICODE, read_rows, read_values
from hornbook.read.documents import Rejection
from hornbook.read.locations import AnyPath
from hornbook.read.sources import find_files, format_of, name_of, read_file

EVALUATIONS = "evaluations"
"""The folder in Hornbook's own whose files every corpus is held against."""
_BATCH = 4 * 2**20
_BITS = 22
"""Of a hash, by which most n-grams are told to be in no item before they are looked up."""


class OverlapConfig(Config):
    """words: of an n-gram. share: of an item's n-grams that give it away.

    passage: so many n-grams of one item give it away however long it is.
    """

    words: PositiveInt = 8
    share: float = Field(default=0.7, gt=0, le=1)
    passage: PositiveInt = 50


class OverlapIndex(NamedTuple):
    """What evaluation files hold, as n-grams.

    files: in order. counts: (F, 2) items of each file, and those too short to be looked for.
    texts: of the others. file_of: (I,) the file of each. sizes: (I,) its distinct n-grams. keys:
    (K,) uint64, ascending, with the items (K,) that each is of. maybe: (2^22,) bool by low bits.
    """

    files: list[str]
    counts: np.ndarray
    texts: list[str]
    file_of: np.ndarray
    sizes: np.ndarray
    keys: np.ndarray
    items: np.ndarray
    maybe: np.ndarray


class OverlapTask(NamedTuple):
    """documents: the part to look at."""

    documents: Path
    items: OverlapIndex
    config: OverlapConfig


def evaluation_files(asked: Sequence[str]) -> list[AnyPath]:
    """The files asked for, then all in Hornbook's own folder of evaluations, each once.

    Raises UsageError for one that does not exist, a link in the own folder that leads nowhere too:
    what was evaluated on would be trained on without a word.
    """
    own = home() / EVALUATIONS
    for link in sorted(own.iterdir()) if own.is_dir() else ():
        if not link.exists():
            raise UsageError(
                f"{link.readlink()} was evaluated on and has been moved: what it holds cannot be "
                f"kept out of the corpus. Put it back, or delete {link} if that need not be."
            )
    standing = [own] if own.is_dir() and any(own.iterdir()) else []
    return find_files([*asked, *standing])


def read_items(
    files: Sequence[AnyPath],
    config: OverlapConfig,
    left_out: Callable[[Rejection], None] = lambda rejection: None,
) -> OverlapIndex:
    """Raises UsageError for a file that cannot be read whole: it would protect nothing.

    left_out: told of items with half a surrogate pair, which no document can hold.
    """
    texts: list[str] = []
    file_of: list[int] = []
    for i, file in enumerate(files):
        for text in dict.fromkeys(_strings(file, left_out)):
            texts.append(text)
            file_of.append(i)
    return index_items(texts, file_of, [name_of(file) for file in files], config)


def index_items(
    texts: Sequence[str], file_of: Sequence[int], files: list[str], config: OverlapConfig
) -> OverlapIndex:
    """The same of texts that are at hand, file_of: (I,) which of the files each is from."""
    folded = Texts(texts).folded()
    hashes, starts = grams(folded.word_hashes, folded.words.owners, config.words)
    owners = folded.words.owners[starts]
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    again = np.zeros(len(hashes), bool)
    again[1:] = (hashes[1:] == hashes[:-1]) & (owners[1:] == owners[:-1])
    keys, items = hashes[~again], owners[~again]
    sizes = np.bincount(items, minlength=len(texts))
    number = np.array(file_of, np.int64)
    counts = [
        np.bincount(number[which], minlength=len(files)) for which in (sizes >= 0, sizes == 0)
    ]
    maybe = np.zeros(2**_BITS, bool)
    maybe[_low(keys)] = True
    long = np.flatnonzero(sizes)
    renamed = np.cumsum(sizes > 0) - 1
    return OverlapIndex(
        files=files,
        counts=np.stack(counts, 1),
        texts=[texts[i] for i in long.tolist()],
        file_of=number[long],
        sizes=sizes[long],
        keys=keys,
        items=renamed[items],
        maybe=maybe,
    )


def overlap_part(task: OverlapTask) -> tuple[np.ndarray, np.ndarray]:
    """(N,) float32, the largest share of an item that each document gives away, and (N,) which.

    The share is 0, and the item -1, where neither the share nor a passage is enough.
    """
    shares, found = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
    for _, texts in text_batches(task.documents, _BATCH):
        share, item = overlaps(Texts(texts).folded(), task.items, task.config)
        shares.append(share)
        found.append(item)
    return np.concatenate(shares), np.concatenate(found)


def overlaps(
    texts: Texts, items: OverlapIndex, config: OverlapConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The same for a batch of folded texts."""
    shares, given = np.zeros(texts.count, np.float32), np.full(texts.count, -1)
    document, item, share = given_away(texts, items, config)
    order = np.argsort(share, kind="stable")  # the largest comes last and stays
    shares[document[order]], given[document[order]] = share[order], item[order]
    return shares, given


def given_away(
    texts: Texts, items: OverlapIndex, config: OverlapConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every document of folded texts, and item that it gives away, with the share: (P,) each."""
    hashes, starts = grams(texts.word_hashes, texts.words.owners, config.words)
    likely = np.flatnonzero(items.maybe[_low(hashes)])
    first = np.searchsorted(items.keys, hashes[likely])
    stop = np.searchsorted(items.keys, hashes[likely], "right")
    often = stop - first
    # One row for each n-gram of a document and each item that has it.
    rows = np.repeat(first - np.cumsum(often) + often, often) + np.arange(often.sum())
    owners = np.repeat(texts.words.owners[starts[likely]], often)
    pairs = np.unique(np.stack([owners, items.items[rows], rows], 1), axis=0)
    begins = np.flatnonzero((np.diff(pairs[:, :2], axis=0, prepend=-1) != 0).any(1))
    counts = np.diff(np.append(begins, len(pairs)))
    document, item = pairs[begins, 0], pairs[begins, 1]
    share = (counts / items.sizes[item]).astype(np.float32)
    enough = (share >= config.share) | (counts >= config.passage)
    return document[enough], item[enough], share[enough]


def _low(hashes: np.ndarray) -> np.ndarray:
    return (hashes & np.uint64(2**_BITS - 1)).astype(np.int64)


def _strings(file: AnyPath, left_out: Callable[[Rejection], None]) -> Iterator[str]:
    """All texts of a file, whatever their fields are called."""
    for item in _values(file):
        if isinstance(item, Rejection):
            if item.reason != NOT_UNICODE:
                raise UsageError(f"{item}.")
            left_out(item)
        else:
            yield from _inside(item)


def _values(file: AnyPath) -> Iterator[Any]:
    """Plain data, whatever it is: rows, values of JSON, documents with their metadata."""
    kind = format_of(file)
    if kind in JSON:
        for record in read_values(file):
            yield record if isinstance(record, Rejection) else record.values
    elif kind in FORMATS:
        for row in read_rows(file):
            yield row if isinstance(row, Rejection) else row.cells
    else:
        for item in read_file(file):
            yield item if isinstance(item, Rejection) else [item.text, item.metadata]


_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*|true|false", re.IGNORECASE)


def _inside(value: Any) -> Iterable[str]:
    """All strings in plain data but empty ones, and numbers that a table has as texts."""
    value = opened(value)
    if isinstance(value, str):
        if value and not _NUMBER.fullmatch(value):
            yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _inside(inner)
