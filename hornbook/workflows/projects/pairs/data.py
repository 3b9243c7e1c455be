"""From files of pairs to what training reads: one tokenizer for both sides, ids, their books."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.batches.translation import EncodedPair
from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.datasets.pairs import Columns, Pair, read_pairs
from hornbook.read.documents import Rejection
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import (
    SAMPLE_BYTES,
    sample_bytes,
    serve_translators,
    train_tokenizer,
)
from hornbook.workflows.runs import folder as layout

_SHOWN = 3
"""Rejected pairs of a split that are named; the others are counted."""


class ReadSplit(NamedTuple):
    """The pairs of a split that could be had. rejected: how many could not, by reason."""

    pairs: list[Pair]
    rejected: dict[str, int]

    def books(self) -> dict[str, Any]:
        """in = kept + rejected, for the result."""
        rejected = sum(self.rejected.values())
        return {"in": len(self.pairs) + rejected, "kept": len(self.pairs), **self.rejected}


def read_split(
    name: str, files: Sequence[Path], columns: Columns | None, progress: Progress
) -> ReadSplit:
    """The pairs of a split; the first rejected ones are named. Raises HornbookError for none."""
    pairs: list[Pair] = []
    rejected: Counter[str] = Counter()
    for item in read_pairs(files, columns):
        if isinstance(item, Pair):
            pairs.append(item)
            continue
        rejected[item.reason] += 1
        if rejected.total() <= _SHOWN:
            progress.say(f"  {_place(item)}: {item.reason} {item.detail}")
    if not pairs:
        raise HornbookError(f"{' and '.join(map(str, files))}: no pair for {name}.")
    counts = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
    progress.say(f"{name}: {len(pairs):,} pairs" + (f"; left out: {counts}." if counts else "."))
    return ReadSplit(pairs, dict(rejected))


def _place(rejection: Rejection) -> str:
    return rejection.file if rejection.line is None else f"{rejection.file}:{rejection.line}"


def text_bytes(pairs: Sequence[Pair]) -> int:
    """Bytes of both sides."""
    return sum(len(text.encode()) for pair in pairs for text in pair)


def joint_tokenizer(
    pairs: Sequence[Pair],
    fingerprint: Sequence[str],
    folder: Path,
    vocab: int,
    progress: Progress,
    minutes: float | None = None,
) -> Tokenizer:
    """Train a tokenizer of `vocab` tokens on both sides, or reuse the one in `folder`.

    fingerprint: of the files that the pairs come from. minutes: of the run it is for; a short one
    has no time for all of a long text.
    """
    size, sample = text_bytes(pairs), sample_bytes(minutes)

    def build(aside: Path) -> None:
        texts = [text for pair in pairs for text in pair]
        train_tokenizer(texts, vocab, aside, progress, size, sample)
        serve_translators(aside)

    inputs = {"stage": "joint-tokenizer-2", "pairs": list(fingerprint), "vocab": vocab}
    if sample < min(size, SAMPLE_BYTES):
        inputs["sample"] = sample
    built = run_stage(folder, layout.PART, inputs, build)
    tokenizer = Tokenizer.load(folder)
    done = "Trained" if built else "Reused"
    progress.say(f"{done} a tokenizer of {tokenizer.vocab_size:,} tokens for both sides.")
    return tokenizer


def encode(pairs: Sequence[Pair], tokenizer: Tokenizer) -> list[EncodedPair]:
    """Both sides as ids."""
    sources, targets = (tokenizer.encode_batch(side) for side in zip(*pairs, strict=True))
    return [EncodedPair(*sides) for sides in zip(sources, targets, strict=True)]


def fitting(
    pairs: Sequence[EncodedPair], context: int, name: str, progress: Progress
) -> list[EncodedPair]:
    """The pairs that fit into a context with start and end; it is said how many do not."""
    kept = [pair for pair in pairs if max(map(len, pair)) < context]
    if len(kept) < len(pairs):
        progress.say(f"{name}: {len(pairs) - len(kept):,} pairs exceed the context of {context}.")
    return kept
