"""The floors of a run: compressors and an n-gram model on the same training and validation text.

Knows baselines, corpus and shards; computes nothing itself.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.baselines.compress import (
    XZ_REACH,
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
from hornbook.workflows import run as layout
from hornbook.workflows.prepare import Bench

_RESULT = "floors.json"
_XZ_BYTES_A_SECOND, _TOKENS_A_SECOND = 30_000, 15_000
"""Of text a second of a run: xz and the 5-gram model take forty times as much."""


class _Limits(NamedTuple):
    """How much of the training text is looked at: bytes by xz, tokens by the 5-gram model."""

    xz_bytes: int = XZ_REACH
    tokens: int = MOST_TOKENS


def _limits(minutes: float | None) -> _Limits:
    """What a run of so many minutes has time for: a few hundredths of it."""
    if minutes is None:
        return _Limits()
    seconds = 60 * minutes
    return _Limits(
        max(2**20, min(XZ_REACH, int(_XZ_BYTES_A_SECOND * seconds))),
        max(100_000, min(MOST_TOKENS, int(_TOKENS_A_SECOND * seconds))),
    )


def measure_floors(
    corpus: Corpus, bench: Bench, folder: Path, minutes: float | None, progress: Progress
) -> dict[str, float]:
    """Bits per byte by name, or reuse them. minutes: of the run; a short one looks at less text.

    Of text that goes on: gzip, xz, xz_given (the training text) and ngram. Of hidden words, which
    are told from both sides: unigram, which knows how frequent each token is, and no side.
    """
    limits = _limits(minutes)

    def build(aside: Path) -> None:
        if bench.task.masked:
            progress.say("Floor: how frequent each token is ...")
            found = {"unigram": _unigram(bench.train, bench.validation, bench.tokenizer)}
        else:
            progress.say("Floors: gzip, xz, xz given the training text, a 5-gram model ...")
            found = _measure(corpus, bench, limits, progress)
        write_json(aside / _RESULT, found)

    inputs = {
        "stage": "floors-3",
        "task": bench.task.name,
        "corpus": corpus.fingerprint,
        "tokenizer": bench.train.fingerprint,
        "limits": limits._asdict(),
    }
    run_stage(folder, layout.PART, inputs, build)
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


def _measure(corpus: Corpus, bench: Bench, limits: _Limits, progress: Progress) -> dict[str, Any]:
    train, validation = bench.train, bench.validation
    given, shown = xz_given_bits_per_byte(
        corpus.texts("train"), corpus.texts("validation"), limits.xz_bytes
    )
    if shown < corpus.bytes("train"):
        progress.say(f"  xz is shown the last {shown / 1e6:,.0f} MB of the training text")
    if train.tokens > limits.tokens:
        progress.say(f"  the {ORDER}-gram model counts the last {limits.tokens:,} tokens")
    counted = train.read(max(0, train.tokens - limits.tokens), train.tokens)
    model = NgramModel(counted, bench.tokenizer.vocab_size)
    stream = np.append(train.eos, validation.read(0, validation.tokens))
    return {
        "gzip": gzip_bits_per_byte(corpus.texts("validation")),
        "xz": xz_bits_per_byte(corpus.texts("validation")),
        "xz_given": given,
        "ngram": float(model.bits(stream).sum()) / validation.bytes,
    }
