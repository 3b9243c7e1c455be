"""A sentence of the corpus as a run saw it: which tokens of its stream hold it."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.batches.shards import TokenShards
from hornbook.core.errors import HornbookError
from hornbook.tokenize.tokenizer import Tokenizer


class TokenSpan(NamedTuple):
    """Tokens start to stop of a stream."""

    start: int
    stop: int


def spans_of(
    text: str,
    documents: Collection[str],
    shards: TokenShards,
    tokenizer: Tokenizer,
    token_bytes: np.ndarray,
) -> list[TokenSpan]:
    """The tokens that hold any of the text, each time that it stands in one of these documents.

    A document that is read several times has as many spans. token_bytes: (V,) of text that each
    token stands for.
    """
    found, wanted = [], text.encode()
    for start, stop in shards.named(documents):
        ids = shards.read(start, stop)
        ends = np.cumsum([0, *token_bytes[ids]])
        whole = tokenizer.decode_bytes(ids[:-1].tolist())  # the last one ends the document
        at = whole.find(wanted)
        while at >= 0:
            first = int(np.searchsorted(ends, at, side="right")) - 1
            last = int(np.searchsorted(ends, at + len(wanted), side="left"))
            found.append(TokenSpan(start + first, start + last))
            at = whole.find(wanted, at + len(wanted))
    return sorted(found)


def check_spans(spans: Sequence[TokenSpan], context: int) -> None:
    """Raises HornbookError for a text that no step can have trained on, or that is too long."""
    if not spans:
        raise HornbookError(
            "The tokens of this run do not spell the text as the corpus has it: its tokenizer "
            "changes text."
        )
    length = spans[0].stop - spans[0].start
    if not 2 <= length <= context // 2:
        raise HornbookError(
            f"The text has {length:,} tokens. From 2 to {context // 2:,}, half of what the model "
            "sees at once, can be followed; give a sentence."
        )


def positions_of(spans: Sequence[TokenSpan]) -> np.ndarray:
    """(N,) all positions of the stream that lie in the spans."""
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(*span) for span in spans)])


def others_like(spans: Sequence[TokenSpan], count: int, tokens: int, seed: int) -> list[TokenSpan]:
    """So many spans of the same length elsewhere in a stream of `tokens` tokens, drawn by chance;
    none meets another one, or one of `spans`. Fewer where there is no room."""
    length = spans[0].stop - spans[0].start
    draw, taken, found = np.random.default_rng(seed), list(spans), list[TokenSpan]()
    for start in draw.integers(0, max(1, tokens - length), 20 * count).tolist():
        span = TokenSpan(start, start + length)
        if len(found) < count and all(
            span.stop <= other.start or other.stop <= span.start for other in taken
        ):
            taken.append(span)
            found.append(span)
    return found
