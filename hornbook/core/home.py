"""Where what was fetched lives: HORNBOOK_HOME, or the place for caches on this system.

Knows folders; knows nothing of what lies in them.
"""

import os
import sys
from pathlib import Path


def home() -> Path:
    """Hornbook's own folder, which may not exist yet."""
    if own := os.environ.get("HORNBOOK_HOME"):
        return Path(own).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "hornbook"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hornbook"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hornbook"


def pulled(name: str) -> Path:
    """The folder of the model that `hornbook pull` calls `name`."""
    return home() / "models" / name
