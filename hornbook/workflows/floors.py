"""The floors of a run: compressors and an n-gram model on the same training and validation text.

Knows baselines, corpus and shards; computes nothing itself.
"""

from pathlib import Path
from typing import Any

import numpy as np

from hornbook.baselines.compress import (
    gzip_bits_per_byte,
    xz_bits_per_byte,
    xz_given_bits_per_byte,
)
from hornbook.baselines.ngram import MOST_TOKENS, ORDER, NgramModel
from hornbook.batches.shards import TokenShards
from hornbook.core.files import read_json, write_json
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.corpus.build import Corpus

_RESULT = "floors.json"


def measure_floors(
    corpus: Corpus,
    train: TokenShards,
    validation: TokenShards,
    vocab: int,
    folder: Path,
    progress: Progress,
) -> dict[str, float]:
    """Bits per byte by name: gzip, xz, xz_given (the training text) and ngram; or reuse them."""

    def build(aside: Path) -> None:
        progress.say("Floors: gzip, xz, xz given the training text, a 5-gram model ...")
        write_json(aside / _RESULT, _measure(corpus, train, validation, vocab, progress))

    inputs = {
        "stage": "floors-1",
        "corpus": corpus.fingerprint,
        "tokenizer": train.fingerprint,
    }
    run_stage(folder, inputs, build)
    found: dict[str, float] = read_json(folder / _RESULT)
    return found


def _measure(
    corpus: Corpus, train: TokenShards, validation: TokenShards, vocab: int, progress: Progress
) -> dict[str, Any]:
    given, shown = xz_given_bits_per_byte(corpus.texts("train"), corpus.texts("validation"))
    if shown < corpus.bytes("train"):
        progress.say(f"  xz is shown the last {shown / 1e6:,.0f} MB of the training text")
    if train.tokens > MOST_TOKENS:
        progress.say(f"  the {ORDER}-gram model counts the last {MOST_TOKENS:,} tokens")
    model = NgramModel(train.read(max(0, train.tokens - MOST_TOKENS), train.tokens), vocab)
    stream = np.append(train.eos, validation.read(0, validation.tokens))
    return {
        "gzip": gzip_bits_per_byte(corpus.texts("validation")),
        "xz": xz_bits_per_byte(corpus.texts("validation")),
        "xz_given": given,
        "ngram": float(model.bits(stream).sum()) / validation.bytes,
    }
