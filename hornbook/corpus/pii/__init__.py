"""Personal data in text: finders one file each, pseudonyms for what they find, planted identities.

Importing this package registers all finders.
"""

import importlib
import pkgutil

from hornbook.corpus.pii.contract import FINDERS, Finder, PiiSpan, find_all
from hornbook.corpus.pii.pseudonyms import Pseudonyms

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["FINDERS", "Finder", "PiiSpan", "Pseudonyms", "find_all"]
