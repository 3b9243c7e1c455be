"""Hornbook: build, understand and use a language model of your own.

    import hornbook as hb

    model = hb.load("smollm2-135m-instruct")
    print(model.chat("What is a hornbook?"))

Importing this package imports nothing heavy: each name is fetched when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hornbook.core.errors import HornbookError, UsageError
    from hornbook.generate.text import Answer
    from hornbook.generate.translate import Translation
    from hornbook.workflows.open.classifier import Classifier, Labelled
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.load import load
    from hornbook.workflows.open.translator import Translator

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Classifier",
    "Decoder",
    "Encoder",
    "HornbookError",
    "Labelled",
    "Translation",
    "Translator",
    "UsageError",
    "load",
]

_PLACES = {
    "core.errors": ("HornbookError", "UsageError"),
    "generate.text": ("Answer",),
    "generate.translate": ("Translation",),
    "workflows.open.classifier": ("Classifier", "Labelled"),
    "workflows.open.decoder": ("Decoder",),
    "workflows.open.encoder": ("Encoder",),
    "workflows.open.load": ("load",),
    "workflows.open.translator": ("Translator",),
}
"""The same as the imports above, for when a name is used."""


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
