"""Vectors of passages: kept in the store as float16, searched exactly in a map of the memory.

The map is derived: two files of rows in the order in which the store got them, and a third that
says so, written last. What the store has got since is read from there, so that a search is always
over all vectors. Knows numbers of passages; where vectors come from is its caller's business.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.retrieve.store import Store
from hornbook.retrieve.words import Ranked

if TYPE_CHECKING:
    import numpy as np

FOLDER, ENCODER = "vectors", "encoder"
"""The folder of the map, and the setting that says what the vectors were made by."""
_FACTS = "map.json"
_ROWS = 4096
"""Vectors that are read from the store at once."""


class VectorIndex:
    """All vectors of a store, as it was when last refreshed."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._map: str | None = None
        self._last = 0
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []  # (N,) passages, (N, D) vectors
        self.refresh()

    def refresh(self) -> None:
        """See what the store has got since."""
        facts = _facts(self._folder, self._store)
        name = facts["name"] if facts else ""
        if name != self._map:
            self._map, self._parts, self._last = name, [], 0
            if facts:
                self._open(facts)
        for passages, rows, last in read_vectors(self._store, self._last):
            self._parts.append((passages, rows))
            self._last = last
        if len(self._parts) > 2:
            first, *others = self._parts
            self._parts = [first, _joined(others)]

    def _open(self, facts: dict[str, Any]) -> None:
        import numpy as np

        path = self._folder / facts["name"]
        with contextlib.suppress(OSError, ValueError):  # lost or cut: the store has all of it
            passages = np.fromfile(path.with_suffix(".ids"), np.int64)
            shape = len(passages), facts["width"]
            rows = np.memmap(path.with_suffix(".f32"), np.float32, "r", shape=shape)
            if len(passages) == facts["rows"]:
                self._parts, self._last = [(passages, rows)], facts["last"]

    def __len__(self) -> int:
        return sum(len(passages) for passages, _ in self._parts)

    def search(
        self, vector: "np.ndarray", count: int, passages: "np.ndarray | None" = None
    ) -> list[Ranked]:
        """The passages whose vectors are nearest to one of length one, by cosine.

        passages: the only ones that are searched. Exact: each vector is looked at.
        """
        import numpy as np

        if not self._parts or count < 1:
            return []
        numbers, scores = self._scores(vector)
        if passages is not None:
            allowed = np.isin(numbers, passages)
            numbers, scores = numbers[allowed], scores[allowed]
        if not len(scores):
            return []
        best = np.argpartition(-scores, min(count, len(scores)) - 1)[:count]
        found = sorted((-float(scores[i]), int(numbers[i])) for i in best)
        return [Ranked(number, -score) for score, number in found]

    def scores_of(self, vector: "np.ndarray", passages: Sequence[int]) -> dict[int, float]:
        """The cosines of some passages, of those that have vectors."""
        import numpy as np

        found: dict[int, float] = {}
        for numbers, rows in self._parts:
            places = np.flatnonzero(np.isin(numbers, np.asarray(passages)))
            values = rows[places] @ vector
            found |= {int(numbers[i]): float(v) for i, v in zip(places, values, strict=True)}
        return found

    def _scores(self, vector: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
        import numpy as np

        numbers = [part for part, _ in self._parts]
        return np.concatenate(numbers), np.concatenate([rows @ vector for _, rows in self._parts])


def read_vectors(store: Store, after: int) -> "Iterator[tuple[np.ndarray, np.ndarray, int]]":
    """Passages (N,), vectors (N, D) float32 and the last number, of the vectors beyond a number."""
    import numpy as np

    rows = store.execute(
        "SELECT number, passage, vector FROM vectors WHERE number > ? ORDER BY number", (after,)
    )
    while some := rows.fetchmany(_ROWS):
        numbers, passages, blobs = zip(*some, strict=True)
        joined = np.frombuffer(b"".join(blobs), np.float16).reshape(len(some), -1)
        yield np.array(passages, np.int64), joined.astype(np.float32), numbers[-1]


def add_vectors(store: Store, passages: Sequence[int], vectors: "np.ndarray") -> None:
    """Keep the vectors (N, D) of passages; of one that was removed meanwhile, none."""
    import numpy as np

    packed = vectors.astype(np.float16)
    store.connection.executemany(
        "INSERT OR REPLACE INTO vectors (passage, vector) SELECT id, ? FROM passages WHERE id = ?",
        ((row.tobytes(), number) for row, number in zip(packed, passages, strict=True)),
    )


def without_vectors(store: Store, after: int, count: int) -> list[int]:
    """The next passages behind a number that have no vector yet."""
    rows = store.execute(
        "SELECT id FROM passages WHERE id > ? AND id NOT IN (SELECT passage FROM vectors) "
        "ORDER BY id LIMIT ?",
        (after, count),
    )
    return [row[0] for row in rows]


def write_map(store: Store, folder: Path) -> None:
    """Write the map anew, and what it is of; the one before goes."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    newest = store.execute("SELECT max(number) FROM vectors").fetchone()[0] or 0
    name, count, width, last = f"vectors-{newest}", 0, 0, 0
    with (folder / f"{name}.ids").open("wb") as ids, (folder / f"{name}.f32").open("wb") as rows:
        for passages, vectors, last in read_vectors(store, 0):  # noqa: B007
            ids.write(np.ascontiguousarray(passages).data)
            rows.write(np.ascontiguousarray(vectors).data)
            count, width = count + len(passages), vectors.shape[1]
    facts = {"name": name, "rows": count, "width": width, "last": last}
    write_json(folder / _FACTS, {**facts, **_of(store)})
    for path in folder.glob("vectors-*.*"):
        if path.stem != name:
            with contextlib.suppress(OSError):  # somebody reads it
                path.unlink()


def _joined(parts: "list[tuple[np.ndarray, np.ndarray]]") -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    passages, rows = zip(*parts, strict=True)
    return np.concatenate(passages), np.concatenate(rows)


def _facts(folder: Path, store: Store) -> dict[str, Any] | None:
    """What the map is of; None where there is none of these vectors."""
    try:
        facts: dict[str, Any] = read_json(folder / _FACTS)
    except HornbookError:
        return None
    return facts if facts.items() >= _of(store).items() else None


def _of(store: Store) -> dict[str, Any]:
    """What must be the same for a map to be of use."""
    return {"identity": store.identity, "encoder": store.setting(ENCODER)}
