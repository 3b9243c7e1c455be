"""The text that says which columns of a model matter: from a user's files, a corpus or a run.

Windows are taken from all of it, evenly, so that no file at its beginning speaks for the others.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.core.config import read_recipe
from hornbook.core.errors import UsageError
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.progress import Advance, Progress
from hornbook.corpus.corpus import Corpus
from hornbook.models.causal_lm import CausalLM
from hornbook.models.gguf.importance import measured_importance, read_importance
from hornbook.read.documents import Rejection
from hornbook.read.locations import AnyPath
from hornbook.read.sources import find_files, read_file, size_of
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.runs import folder as layout

OWN = "corpus"
"""The name of the corpus that a run was trained on."""
_WINDOW, _WINDOWS = 512, 64
_MOST_TEXT = 2**20
"""Characters that are read at most, of all files together as many from each."""
_PIECES = 16
"""Parts of a text that is longer than what is read of it."""
_FEW = 4096
"""Tokens below which it is said that they are few."""


class Importance(NamedTuple):
    """columns: by the name of a matrix in the file. source: the name of the text or the file.
    tokens: that were looked at, None where a file says the rest. windows: of them."""

    columns: dict[str, np.ndarray]
    source: str
    tokens: int | None = None
    windows: int | None = None

    def summary(self) -> dict[str, Any]:
        """For the certificate."""
        return {"source": self.source, "tokens": self.tokens, "matrices": len(self.columns)}

    def metadata(self) -> dict[str, Any]:
        """What llama.cpp writes into a file that it quantised so."""
        of = "file" if self.tokens is None else "dataset"
        found = {of: self.source, "entries_count": len(self.columns), "chunks_count": self.windows}
        return {f"quantize.imatrix.{key}": each for key, each in found.items() if each is not None}


def importance_source(asked: str, model: Path) -> Path:
    """The place that is meant. Raises UsageError where there is nothing, before work starts."""
    place = Path(asked)
    if asked == OWN and not place.exists():
        return _corpus_of(model)
    if not place.exists():
        raise UsageError(
            f"--importance {asked} does not exist: name a file or a folder of text, or write "
            f"{OWN} for that of a run."
        )
    return place


def importance_of(
    source: Path, model: CausalLM, tokenizer: Tokenizer, progress: Progress
) -> Importance:
    """The importance of a model's columns for the text at `source`, or what its file says.

    Raises UsageError for text that cannot be read or is empty, HornbookError for a matrix of
    another model.
    """
    if is_gguf(source):
        return Importance(read_importance(GGUFFile(source), model), source.name)
    windows = _windows(source, tokenizer, min(model.config.context, _WINDOW))
    tokens = sum(window.numel() for window in windows)
    if not tokens:
        raise UsageError(f"--importance {source} holds no text.")
    if tokens < _FEW:
        progress.say(
            f"Only {tokens:,} tokens of {source.name} say which weights matter; more text says it "
            "better."
        )
    with progress.bar("Looking which weights matter", len(windows), "windows") as advance:
        found = measured_importance(model, _counted(windows, advance))
    return Importance(found, source.name, tokens, len(windows))


def _counted(windows: list[Tensor], advance: Advance) -> Iterator[Tensor]:
    for window in windows:
        yield window
        advance(1)


def _windows(source: Path, tokenizer: Tokenizer, length: int) -> list[Tensor]:
    """At most _WINDOWS windows (1, T) of the texts, evenly; the last may be shorter."""
    ids = [i for text in _texts(source) for i in tokenizer.encode_beginning(text)]
    starts = range(0, len(ids), length)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), _WINDOWS)).astype(int))
    return [torch.tensor([ids[starts[i] : starts[i] + length]]) for i in chosen]


def _texts(source: Path) -> Iterator[str]:
    if source.is_dir() and (source / "split.json").is_file():
        corpus = Corpus.open(source)
        yield from _some(corpus.texts("train"), corpus.bytes("train"), _MOST_TEXT)
        return
    files = find_files([source])
    for file in files:
        yield from _some(_read(file), size_of(file), max(_WINDOW, _MOST_TEXT // len(files)))


def _read(file: AnyPath) -> Iterator[str]:
    for item in read_file(file):
        if isinstance(item, Rejection):
            raise UsageError(f"{item}.")
        yield item.text


def _some(texts: Iterator[str], size: int, most: int) -> Iterator[str]:
    """About `most` characters of texts of `size` bytes: each so-and-so-many-th one, and of a long
    one parts from its beginning to its end."""
    for text in itertools.islice(texts, 0, None, max(1, size // most)):
        piece = max(1, most // _PIECES)
        starts = range(0, len(text), len(text) // _PIECES) if len(text) > most else ()
        yield from [text[start : start + piece] for start in starts] or [text]
        most -= min(len(text), most)
        if most <= 0:
            return


def _corpus_of(model: Path) -> Path:
    """The corpus of the run that `model` is the model of."""
    recipe = model.parent / layout.RECIPE
    place = read_recipe(recipe).get("places", {}).get("corpus") if recipe.is_file() else None
    if place is None:
        raise UsageError(
            f"{model} is no model of a run with a corpus: name a file or a folder of text with "
            "--importance."
        )
    if not Path(place).exists():
        raise UsageError(f"{place}, the corpus of {model.parent}, is not there any more.")
    return Path(place)
