"""What was learned of an index: kept in its settings, and taken up again while it still holds.

It holds while nearly all of the index is as it was then; a document more or less of thousands
changes no threshold. What was learned by vectors of one encoder says nothing of another's, or of
words alone: each is kept for itself. Knows the store; knows nothing of what is learned.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.retrieve.index import IndexState
from hornbook.retrieve.store import Store
from hornbook.retrieve.vectors import MOSTLY

_NAME = "learned"


def recall(store: Store, basis: Any, name: str) -> Any | None:
    """What was kept by this name; None where nothing was, or the index is another by now.

    basis: the settings of the encoder whose vectors it rests on, None for words alone.
    """
    entry = _entries(store).get(_key(basis, name))
    return entry["value"] if entry and _holds(store, entry, basis) else None


def keep(folder: Path, state: IndexState, basis: Any, name: str, value: Any) -> None:
    """Keep what was learned of an index as it was in a state; where it cannot be written, it is
    learned again."""
    with contextlib.suppress(sqlite3.OperationalError, HornbookError):
        store = Store.create(folder)
        try:
            of = {"generation": state.generation, "passages": state.passages, "basis": basis}
            entry = {_key(basis, name): {**of, "value": value}}
            store.keep(_NAME, {**_entries(store), **entry})
        finally:
            store.close()


def _entries(store: Store) -> dict[str, Any]:
    kept: Any = store.setting(_NAME)
    # Earlier indexes have other fields here, which say nothing now.
    entries = kept.items() if isinstance(kept, dict) else ()
    return {name: one for name, one in entries if isinstance(one, dict) and "passages" in one}


def _key(basis: Any, name: str) -> str:
    return f"{name} by {'words' if basis is None else 'vectors'}"


def _holds(store: Store, entry: dict[str, Any], basis: Any) -> bool:
    if entry["basis"] != basis:
        return False
    (added,) = store.execute(
        "SELECT count(*) FROM documents JOIN passages ON document = documents.id "
        "WHERE generation > ?",
        (entry["generation"],),
    ).fetchone()
    before = int(entry["passages"])
    removed = before - (_count(store) - int(added))
    return int(added) + removed <= (1 - MOSTLY) * before


def _count(store: Store) -> int:
    return int(store.execute("SELECT count(*) FROM passages").fetchone()[0])
