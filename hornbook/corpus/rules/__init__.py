"""Rules that say which documents are worth training on, one file each.

Importing this package registers them all.
"""

import importlib
import pkgutil

from hornbook.corpus.rules.contract import RULES, Rule

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["RULES", "Rule"]
