"""Hornbook: build, understand and use a language model of your own.

    import hornbook as hb

    model = hb.load("smollm2-135m-instruct")
    print(model.chat("What is a hornbook?"))

Importing this package imports nothing heavy: each name is fetched when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hornbook.core.errors import HornbookError, Interrupted, UsageError
    from hornbook.corpus.corpus import Corpus
    from hornbook.generate.decide import Decision, Question
    from hornbook.generate.text import Answer
    from hornbook.generate.translate import Translation
    from hornbook.workflows.curate.build import build_corpus
    from hornbook.workflows.open.classifier import Classifier, Labelled
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.load import load
    from hornbook.workflows.open.reranker import Reranker
    from hornbook.workflows.open.translator import Translator
    from hornbook.workflows.projects.answers.project import Answers
    from hornbook.workflows.projects.distil.project import Distil
    from hornbook.workflows.projects.images.project import Images
    from hornbook.workflows.projects.labels.project import Labels
    from hornbook.workflows.projects.pairs.project import Pairs
    from hornbook.workflows.projects.questions.project import Questions
    from hornbook.workflows.projects.rewards.project import Rewards
    from hornbook.workflows.projects.text.project import Text
    from hornbook.workflows.train import Run, train

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Answers",
    "Classifier",
    "Corpus",
    "Decision",
    "Decoder",
    "Distil",
    "Encoder",
    "HornbookError",
    "Images",
    "Interrupted",
    "Labelled",
    "Labels",
    "Pairs",
    "Question",
    "Questions",
    "Reranker",
    "Rewards",
    "Run",
    "Text",
    "Translation",
    "Translator",
    "UsageError",
    "build_corpus",
    "load",
    "train",
]

_PLACES = {
    "core.errors": ("HornbookError", "Interrupted", "UsageError"),
    "corpus.corpus": ("Corpus",),
    "generate.decide": ("Decision", "Question"),
    "generate.text": ("Answer",),
    "generate.translate": ("Translation",),
    "workflows.curate.build": ("build_corpus",),
    "workflows.open.classifier": ("Classifier", "Labelled"),
    "workflows.open.decoder": ("Decoder",),
    "workflows.open.encoder": ("Encoder",),
    "workflows.open.load": ("load",),
    "workflows.open.reranker": ("Reranker",),
    "workflows.open.translator": ("Translator",),
    "workflows.projects.answers.project": ("Answers",),
    "workflows.projects.distil.project": ("Distil",),
    "workflows.projects.images.project": ("Images",),
    "workflows.projects.labels.project": ("Labels",),
    "workflows.projects.pairs.project": ("Pairs",),
    "workflows.projects.questions.project": ("Questions",),
    "workflows.projects.rewards.project": ("Rewards",),
    "workflows.projects.text.project": ("Text",),
    "workflows.train": ("Run", "train"),
}
"""The same as the imports above, for when a name is used."""


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
