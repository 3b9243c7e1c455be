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
from hornbook.corpus.corpus import Corpus
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.tasks import Task

_RESULT = "floors.json"


def measure_floors(
    corpus: Corpus,
    train: TokenShards,
    validation: TokenShards,
    tokenizer: Tokenizer,
    task: Task,
    folder: Path,
    progress: Progress,
) -> dict[str, float]:
    """Bits per byte by name, or reuse them.

    Of text that goes on: gzip, xz, xz_given (the training text) and ngram. Of hidden words, which
    are told from both sides: unigram, which knows how frequent each token is, and no side.
    """

    def build(aside: Path) -> None:
        if task.masked:
            progress.say("Floor: how frequent each token is ...")
            found = {"unigram": _unigram(train, validation, tokenizer)}
        else:
            progress.say("Floors: gzip, xz, xz given the training text, a 5-gram model ...")
            found = _measure(corpus, train, validation, tokenizer.vocab_size, progress)
        write_json(aside / _RESULT, found)

    inputs = {
        "stage": "floors-2",
        "task": task.name,
        "corpus": corpus.fingerprint,
        "tokenizer": train.fingerprint,
    }
    run_stage(folder, inputs, build)
    found: dict[str, float] = read_json(folder / _RESULT)
    return found


def _unigram(train: TokenShards, validation: TokenShards, tokenizer: Tokenizer) -> float:
    """Over all tokens of the text that can be hidden, as any of them may be; add-one smoothing."""
    vocab = tokenizer.vocab_size
    ordinary = np.setdiff1d(np.arange(vocab), list(tokenizer.special_ids))
    seen, asked = (
        np.bincount(
            shards.read(max(0, shards.tokens - MOST_TOKENS), shards.tokens), minlength=vocab
        )[ordinary]
        for shards in (train, validation)
    )
    bits = -np.log2((seen + 1) / (seen + 1).sum())
    return float(asked @ bits) / validation.bytes


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
