"""Where a text stands in the corpus that a run was trained on."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.claims import Claim
from hornbook.core.config import read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.folders import list_part
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import MAKER, Corpus
from hornbook.corpus.forget import TRACED
from hornbook.explain.spans import Traced, trace
from hornbook.explain.traced_text import TracedText
from hornbook.workflows.runs import folder as layout

_STAGE = "trace-1"
_CORPUS = "corpus"


@dataclass(frozen=True)
class TraceConfig:
    """least: characters of a passage that is shown, see `spans.size_of`. count: the most passages
    that are shown. places: of each."""

    least: int = 12
    count: int = 10
    places: int = 3


class TracedInCorpus(NamedTuple):
    """corpus: that was looked in. found: what stands there. seconds: that looking took once all was
    open."""

    corpus: Corpus
    found: Traced
    seconds: float


def trace_text(folder: Path, text: str, config: TraceConfig, progress: Progress) -> TracedInCorpus:
    """Trace a text in the corpus in `folder`, or in that of a run there.

    The first time all places of the corpus's text are sorted; that is kept in the corpus. Raises
    UsageError for an empty text, and HornbookError where the corpus is gone or another than the
    run's.
    """
    if not text.strip():
        raise UsageError("The text is empty; give a sentence to look for.")
    corpus = corpus_of(folder)
    traced = open_traced(corpus, progress)
    began = time.perf_counter()
    found = trace(traced, text, config.least, config.count, config.places)
    return TracedInCorpus(corpus, found, time.perf_counter() - began)


def corpus_of(folder: Path) -> Corpus:
    """The corpus that `folder` is, or that the run in it was trained on, it or the model that it
    began from.

    Raises UsageError for a folder that is neither, or of a run that never saw a corpus.
    """
    place = folder
    for _ in range(_MOST_RUNS):
        if not (place / layout.RECIPE).is_file():
            break
        places: dict[str, Any] = read_recipe(place / layout.RECIPE).get("places") or {}
        if places.get(_CORPUS):
            return Corpus.open(Path(places[_CORPUS]))
        began = Path(places.get("init") or places.get("model") or "")
        place = began.parent if began.name == layout.MODEL else began
    if (place / _CORPUS).is_dir():  # of the quickstart
        place = place / _CORPUS
    try:
        return Corpus.open(place)
    except HornbookError:
        raise UsageError(
            f"{folder} is neither a corpus nor a run that was trained on one, so there is no text "
            "to look in."
        ) from None


_MOST_RUNS = 20
"""That were made one from the other."""


def open_traced(corpus: Corpus, progress: Progress) -> TracedText:
    """The text of a corpus with its suffix arrays, made now or there already."""

    def write(aside: Path) -> None:
        TracedText.write(corpus, aside, progress)

    place = corpus.folder / TRACED
    list_part(corpus.folder, TRACED)
    run_stage(place, Claim(MAKER), {"stage": _STAGE, "corpus": corpus.built}, write)
    return TracedText.open(place)
