"""Where what was fetched lives: HORNBOOK_HOME, or the place for caches on this system."""

import os
import sys
from pathlib import Path

from hornbook.core.errors import UsageError

HUB = "hf:/"
"""What the names of models of the Hugging Face hub begin with; a path has one slash of two."""


def home() -> Path:
    """Hornbook's own folder, which may not exist yet.

    Raises UsageError where nothing says which it is, as for a user without an entry in passwd.
    """
    try:
        if own := os.environ.get("HORNBOOK_HOME"):
            return Path(own).expanduser().absolute()
        if sys.platform == "win32":
            return Path(_absolute("LOCALAPPDATA") or Path.home() / "AppData/Local") / "hornbook"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "hornbook"
        return Path(_absolute("XDG_CACHE_HOME") or Path.home() / ".cache") / "hornbook"
    except RuntimeError:
        raise UsageError(
            "Hornbook's own folder cannot be told: there is no home of this name, or of this user. "
            "Set HORNBOOK_HOME to a folder."
        ) from None


def _absolute(name: str) -> str | None:
    """A variable's folder. A relative one is not looked at (XDG Base Directory Specification): it
    would be another in each folder, and code lies in it."""
    place = os.environ.get(name, "")
    return place if Path(place).is_absolute() else None


def pulled(name: str) -> Path:
    """The folder of the model that `hornbook pull` calls `name`, of the hub or of its own list."""
    return home() / "models" / name.removeprefix(HUB).strip("/").replace("/", "--")
