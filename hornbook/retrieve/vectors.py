"""Vectors of passages: kept in the store as float16, searched exactly in a map of the memory.

The map is derived: files of rows in the order in which the store got them, and one that says so,
written last. What the store has got since is read from there, so that a search is always
over all vectors. Knows numbers of passages; where vectors come from is its caller's business.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.retrieve.store import Store
from hornbook.retrieve.words import Ranked

if TYPE_CHECKING:
    import numpy as np

    from hornbook.retrieve.rows import MappedRows

FOLDER, ENCODER = "vectors", "encoder"
"""The folder of the map, and the setting that says what the vectors were made by."""
MOSTLY = 0.9
"""Share of the passages of an index that is as good as all of them."""
_FACTS, _FORM = "map.json", "f16 and q8"
_ROWS = 4096
"""Vectors that are read from the store at once; whole tiles of the map."""


class Cosines:
    """The cosines of all passages to a vector. about: (N,), each off by `off` at most; exactly:
    those of some places. order: the places of the passages' numbers (N,) as these grow."""

    def __init__(
        self,
        numbers: "np.ndarray",
        order: "np.ndarray",
        about: "np.ndarray",
        off: float,
        exactly: "Callable[[np.ndarray], np.ndarray]",
    ) -> None:
        self._numbers, self._order = numbers, order
        self._about, self._off, self._exactly = about, off, exactly

    def best(self, count: int, passages: "np.ndarray | None" = None) -> list[Ranked]:
        """The nearest ones. passages: the only ones that are looked at."""
        import numpy as np

        about = self._about
        if passages is not None:
            about = np.where(np.isin(self._numbers, passages), about, -np.inf)
        if not len(about) or count < 1:
            return []
        last = np.partition(about, max(0, len(about) - count))[max(0, len(about) - count)]
        places = np.flatnonzero((about >= last - 2 * self._off) & (about > -np.inf))
        scores, numbers = self._exactly(places), self._numbers[places]
        best = np.lexsort((numbers, -scores))[:count]
        return [Ranked(int(numbers[i]), float(scores[i])) for i in best]

    def of(self, passages: Sequence[int]) -> dict[int, float]:
        """Those of some passages, of those that have vectors."""
        import numpy as np

        if not len(self._numbers):
            return {}
        wanted = np.asarray(passages, np.int64)
        places = np.searchsorted(self._numbers, wanted, sorter=self._order)
        places = self._order[np.minimum(places, len(self._order) - 1)]
        there = self._numbers[places] == wanted
        pairs = zip(wanted[there], self._exactly(places[there]), strict=True)
        return {int(number): float(score) for number, score in pairs}


class VectorIndex:
    """All vectors of a store, as it was when last refreshed."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._map: str | None = None
        self._encoder: Any = None
        self._begin(None)
        self.refresh()

    def _begin(self, mapped: "tuple[np.ndarray, MappedRows] | None") -> None:
        """With what the map has, and nothing of what came since."""
        import numpy as np

        self._mapped = mapped
        self._numbers = mapped[0] if mapped else np.empty(0, np.int64)
        self._since: list[np.ndarray] = []
        self._last = 0
        self._order: np.ndarray | None = None

    def refresh(self) -> None:
        """See what the store has got since."""
        import numpy as np

        facts = _facts(self._folder, self._store)
        name, encoder = facts["name"] if facts else "", self._store.setting(ENCODER)
        if (name, encoder) != (self._map, self._encoder):  # vectors of two models do not mix
            self._map, self._encoder = name, encoder
            self._begin(None)
            if facts:
                self._open(facts)
        for passages, rows, last in read_vectors(self._store, self._last):
            self._numbers = np.concatenate([self._numbers, passages])
            self._since.append(rows)
            self._last, self._order = last, None
        if len(self._since) > 1:
            self._since = [np.concatenate(self._since)]

    def _open(self, facts: dict[str, Any]) -> None:
        import numpy as np

        from hornbook.retrieve.rows import MappedRows

        path = self._folder / facts["name"]
        with contextlib.suppress(OSError, ValueError):  # lost or cut: the store has all of it
            passages = np.fromfile(path.with_suffix(".ids"), np.int64)
            rows = MappedRows(
                path.with_suffix(".f16"),
                path.with_suffix(".q8"),
                facts["rows"],
                facts["width"],
                np.array(facts["steps"], np.float32),
            )
            if len(passages) == facts["rows"]:
                self._begin((passages, rows))
                self._last = facts["last"]

    def __len__(self) -> int:
        return len(self._numbers)

    def cosines(self, vector: "np.ndarray") -> Cosines:
        """Of all passages to a vector of length one."""
        import numpy as np

        about, off = [rows @ vector for rows in self._since], 0.0
        if self._mapped:
            products, off = self._mapped[1].products(vector)
            about.insert(0, products)
        joined = np.concatenate(about) if about else np.empty(0, np.float32)
        if self._order is None:
            self._order = np.argsort(self._numbers, kind="stable")

        def exactly(places: np.ndarray) -> np.ndarray:
            found: np.ndarray = joined[places]
            if self._mapped:
                mapped = places < self._mapped[1].count
                found[mapped] = self._mapped[1].exactly(places[mapped], vector)
            return found

        return Cosines(self._numbers, self._order, joined, off, exactly)


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


def encoded_text(title: str, text: str) -> str:
    """What the vector of a passage is made of: the title of its document, and its text."""
    return f"{title}\n{text}" if title else text


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

    from hornbook.retrieve.rows import RowsWriter

    folder.mkdir(parents=True, exist_ok=True)
    newest = store.execute("SELECT max(number) FROM vectors").fetchone()[0] or 0
    name, count, width, last = f"vectors-{newest}", 0, 0, 0
    kinds = [folder / f"{name}.{kind}" for kind in ("ids", "f16", "q8")]
    with kinds[0].open("wb") as ids, kinds[1].open("wb") as rows, kinds[2].open("wb") as codes:
        writer = RowsWriter(rows, codes)
        for passages, vectors, last in read_vectors(store, 0):  # noqa: B007
            ids.write(np.ascontiguousarray(passages).data)
            writer.write(vectors)
            count, width = count + len(passages), vectors.shape[1]
    steps = writer.steps.tolist()
    facts = {"name": name, "rows": count, "width": width, "last": last, "steps": steps}
    write_json(folder / _FACTS, {**facts, **_of(store)})
    for path in folder.glob("vectors-*.*"):
        if path not in kinds:
            with contextlib.suppress(OSError):  # somebody reads it
                path.unlink()


def is_mapped(store: Store, folder: Path) -> bool:
    """Whether the map has all vectors, or there are none."""
    newest = store.execute("SELECT max(number) FROM vectors").fetchone()[0]
    facts = _facts(folder, store)
    return newest is None or (facts is not None and facts["last"] == newest)


def _facts(folder: Path, store: Store) -> dict[str, Any] | None:
    """What the map is of; None where there is none of these vectors."""
    try:
        facts: dict[str, Any] = read_json(folder / _FACTS)
    except HornbookError:
        return None
    return facts if facts.items() >= _of(store).items() else None


def _of(store: Store) -> dict[str, Any]:
    """What must be the same for a map to be of use."""
    return {"form": _FORM, "identity": store.identity, "encoder": store.setting(ENCODER)}
