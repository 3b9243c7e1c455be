"""Readers, one file a format: a stream of bytes in, documents and rejections out.

Importing this package registers them all (see `register`). Knows formats; knows nothing of folders.
"""

import importlib
import pkgutil
import re

from hornbook.read.formats.register import ARCHIVE_READERS, READERS, RECORD_READERS

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

MAILDIR = re.compile(r"(?:.*[/\\])?(?:cur|new)[/\\][0-9]{9,}\.[^/\\]+")
"""Paths of messages in a Maildir, which have no suffix: when they came is their name."""

CHECKED = frozenset({".jsonl", ".ndjson", ".json"})
"""Formats whose readers refuse themselves, with its line, what cannot be stored."""

__all__ = ["ARCHIVE_READERS", "CHECKED", "MAILDIR", "READERS", "RECORD_READERS"]
