"""A lock that ends with its process, whatever becomes of it, on every system: SQLite's."""

import sqlite3
from pathlib import Path

from hornbook.core.errors import HornbookError

WRITER_LOCK = "writer.lock"
"""The file in an index that stands for the right to add and remove documents."""
_PATIENCE_S = 0.2
"""For somebody who only looks whether it is held."""


class WrittenElsewhere(HornbookError):
    """Another process has the lock."""


def locked(path: Path) -> sqlite3.Connection:
    """Hold the lock that the file at `path` stands for, until what is returned is closed.

    Raises WrittenElsewhere where another process has it, and HornbookError where the folder cannot
    be written.
    """
    try:
        lock = sqlite3.connect(
            path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            lock.close()
            raise
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise WrittenElsewhere(
                f"{path.parent} is being written by another process; wait for it, or end it."
            ) from None
        raise HornbookError(f"{path.parent} cannot be written: {error}.") from None
    return lock


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file now; nobody is kept from it by looking."""
    if not path.is_file():
        return False
    try:
        lock = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            lock.execute("SELECT 1 FROM sqlite_master").fetchone()
        finally:
            lock.close()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    return False
