"""One file a check, or a few that look at one thing; all are found by being here."""

import importlib
import pkgutil


def load_all() -> None:
    """Import every check, so that it enters itself into the registry."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        importlib.import_module(f"{__name__}.{module.name}")
