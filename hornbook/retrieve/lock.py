"""A lock that ends with its process, whatever becomes of it, on every system: SQLite's."""

import sqlite3
from pathlib import Path

from hornbook.core.errors import HornbookError


def locked(path: Path) -> sqlite3.Connection:
    """Hold the lock that the file at `path` stands for, until what is returned is closed.

    Raises HornbookError where another process has it, or the folder cannot be written.
    """
    try:
        lock = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            lock.close()
            raise
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise HornbookError(
                f"{path.parent} is being written by another process; wait for it, or end it."
            ) from None
        raise HornbookError(f"{path.parent} cannot be written: {error}.") from None
    return lock
