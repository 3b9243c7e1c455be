"""What was read of many documents, in a file without a name that is gone when nobody needs it.

Training goes over it several times in any order, with memory for one batch.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.corpus.texts import Texts
from hornbook.read.documents import content_hash

_BATCH = 2 * 2**20
"""Characters read, or items gone over, together."""
LEAST = 10
"""Documents to take a tenth of."""

Extract = Callable[[Texts], tuple[np.ndarray, np.ndarray]]
"""From a batch to the items of all its documents, joined, and how many each has (N,)."""


class RaggedFile:
    """Items of documents, which have places 0, 1... in the order they are added.

    Add all before the first is taken, and close it, as `with` does. folder: where the file is made;
    it must exist.
    """

    def __init__(self, folder: Path, dtype: type[np.generic]) -> None:
        self.count, self._dtype = 0, dtype
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._counts: list[np.ndarray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.__dict__.pop("_items", None)  # a file that is mapped cannot be deleted everywhere
        self._file.close()

    def add(self, items: np.ndarray, counts: np.ndarray) -> None:
        """Items of all documents of a batch, joined, and how many each has."""
        self._file.write(items.astype(self._dtype, copy=False).tobytes())
        self._counts.append(counts)
        self.count += len(counts)

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The items of some documents, joined, and where each begins and ends: (N + 1,) int64."""
        first, edges = self._edges[places], np.zeros(len(places) + 1, np.int64)
        sizes = self._edges[places + 1] - first
        np.cumsum(sizes, out=edges[1:])
        return self._items[np.arange(edges[-1]) + np.repeat(first - edges[:-1], sizes)], edges

    def batches(self, places: np.ndarray) -> Iterator[np.ndarray]:
        """The places, a group at a time that has about `_BATCH` items."""
        sizes = self._edges[places + 1] - self._edges[places]
        groups = np.cumsum(sizes) // _BATCH
        yield from np.split(places, np.flatnonzero(np.diff(groups)) + 1)

    @cached_property
    def _edges(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.concatenate(self._counts))])

    @cached_property
    def _items(self) -> np.ndarray:
        self._file.flush()
        return np.memmap(self._file, self._dtype, "r")


class TrainingSide:
    """Documents of one kind in a ragged file: those to learn from, and the tenth to measure on.

    Documents of content that is in `seen` are left out, as are those without items. extract: gives
    what is kept of them. Raises HornbookError for fewer than LEAST; name: how it calls them.
    """

    def __init__(
        self, texts: Iterable[str], ragged: RaggedFile, seen: set[str], extract: Extract, name: str
    ) -> None:
        self.repeated = self.items = 0
        start, hashes = ragged.count, list[str]()
        for batch in _batches(texts):
            fresh: dict[str, str] = {}
            for text in batch:
                fresh.setdefault(content_hash(text), text)
            fresh = {digest: text for digest, text in fresh.items() if digest not in seen}
            self.repeated += len(batch) - len(fresh)
            seen.update(fresh)
            items, counts = extract(Texts(list(fresh.values())))
            ragged.add(items, counts[counts > 0])
            self.items += len(items)
            hashes += [one for one, size in zip(fresh, counts, strict=True) if size]
        if len(hashes) < LEAST:
            raise HornbookError(
                f"There are {len(hashes)} different {name}; at least {LEAST} are needed, since a "
                "tenth is held out. A text file is one document; JSON Lines hold one a line."
            )
        places = start + np.array(sorted(range(len(hashes)), key=hashes.__getitem__))
        held = -(-len(places) // LEAST)
        self.held, self.learned = np.sort(places[:held]), np.sort(places[held:])

    @property
    def count(self) -> int:
        return len(self.learned) + len(self.held)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts, about `_BATCH` characters at a time."""
    batch, size = list[str](), 0
    for text in texts:
        batch.append(text)
        size += len(text) + 1  # empty ones count as well: their number is bounded by it
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
