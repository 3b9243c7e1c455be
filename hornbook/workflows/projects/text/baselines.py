"""The baselines of a run: compressors and an n-gram model on the text of its two sides."""

import math
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
from hornbook.core.clock import Clock
from hornbook.core.files import read_json, write_json
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.core.threads import slowness
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.projects.text.problem import TextProblem
from hornbook.workflows.runs import folder as layout

_RESULT = "floors.json"
_PIECES = 8
"""Places of the validation text that are looked at where all of it would take too long."""
_SHARE = 0.05
"""Of the time that is left, what compressors may take, and what the 5-gram model may."""
_XZ_BYTES_A_SECOND, _TOKENS_A_SECOND = 1_000_000, 600_000
"""What a processor of 2020 does that is left alone."""


class _Limits(NamedTuple):
    """How much is looked at: of training and held-out text by xz, in bytes; by the 5-gram model, in
    tokens.
    """

    xz_bytes: float = XZ_REACH
    xz_held_out: float = math.inf
    tokens: float = MOST_TOKENS
    held_out: float = math.inf


def _limits(clock: Clock) -> _Limits:
    """What there is time for on this machine as it is now."""
    if not clock.limited:
        return _Limits()
    seconds = max(0.0, _SHARE * clock.left_s() / slowness())
    # The held-out text is compressed twice and the training text twice, in pairs.
    xz, tokens = _XZ_BYTES_A_SECOND * seconds / 8, _TOKENS_A_SECOND * seconds / 4
    return _Limits(
        max(2**19, min(XZ_REACH, 3 * xz)),
        max(2**17, xz),
        max(50_000, min(MOST_TOKENS, 3 * tokens)),
        max(20_000, tokens),
    )


def measure_baselines(
    problem: TextProblem, folder: Path, clock: Clock, progress: Progress
) -> dict[str, float]:
    """Bits per byte by name, or reuse them. clock: of the run; a short one looks at less text.

    Of text that goes on: gzip, xz, xz_given (the training text) and ngram. Of hidden words, which
    are told from both sides: unigram, which knows how frequent each token is, and no side.
    """

    def build(aside: Path) -> None:
        if problem.task.masked:
            progress.say("Floor: how frequent each token is ...")
            found = {"unigram": _unigram(problem.train, problem.validation, problem.tokenizer)}
        else:
            progress.say("Floors: gzip, xz, xz given the training text, a 5-gram model ...")
            found = _measure(problem, _limits(clock), progress)
        write_json(aside / _RESULT, found)

    inputs = {
        "stage": "floors-3",
        "task": problem.task.name,
        "corpus": problem.corpus.fingerprint,
        "tokenizer": problem.train.fingerprint,
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


def _measure(problem: TextProblem, limits: _Limits, progress: Progress) -> dict[str, Any]:
    corpus = problem.corpus
    held_out, share = list(corpus.texts("validation")), 1.0
    if (size := corpus.bytes("validation")) > limits.xz_held_out:
        share = limits.xz_held_out / size
        held_out = [text[: max(1, int(share * len(text)))] for text in held_out]
        progress.say(f"  compressors are measured on {share:.0%} of the validation text")
    given, shown = xz_given_bits_per_byte(corpus.texts("train"), held_out, int(limits.xz_bytes))
    if shown < corpus.bytes("train"):
        progress.say(f"  xz is shown the last {shown / 1e6:,.1f} MB of the training text")
    return {
        "gzip": gzip_bits_per_byte(held_out),
        "xz": xz_bits_per_byte(held_out),
        "xz_given": given,
        "ngram": _ngram(problem, limits, progress),
    }


def _ngram(problem: TextProblem, limits: _Limits, progress: Progress) -> float:
    """Of a 5-gram model; where there is little time, on some of the validation text."""
    train, validation = problem.train, problem.validation
    counted = int(min(train.tokens, limits.tokens))
    if counted < train.tokens:
        progress.say(f"  the {ORDER}-gram model counts the last {counted:,} tokens")
    given = train.read(train.tokens - counted, train.tokens)
    model = NgramModel(given, problem.tokenizer.vocab_size)
    asked = int(min(validation.tokens, limits.held_out))
    starts = np.linspace(0, validation.tokens - asked // _PIECES, _PIECES).astype(int)
    pieces = [(int(start), int(start) + asked // _PIECES) for start in starts]
    size = float(validation.bytes)
    if asked == validation.tokens:
        pieces = [(0, validation.tokens)]
    else:
        read = np.concatenate([validation.read(*piece) for piece in pieces])
        size = float(problem.token_bytes[read].sum())
    bits = (model.bits(np.append(train.eos, validation.read(*piece))) for piece in pieces)
    return sum(float(each.sum()) for each in bits) / size
