"""How likely texts are, asked of anything that generation can go on with: no torch is needed.

What is asked and found, and one way to compute it: a row that reads each beginning once, is cut
back to what the next request shares with it, and goes on. `evaluate.likelihood` computes the same
of models of torch, in batches.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import SequenceModel, Sequences
from hornbook.tokenize.tokenizer import Tokenizer


class LikelihoodRequest(NamedTuple):
    """How likely is `target` after `context`? Both are ids, and neither is empty."""

    context: Sequence[int]
    target: Sequence[int]


class Likelihood(NamedTuple):
    """logprob: the sum over the target's tokens, in nats. greedy: each of them was the likeliest.

    tokens: how many there were.
    """

    logprob: float
    greedy: bool
    tokens: int


def encode_pair(tokenizer: Tokenizer, context: str, target: str) -> LikelihoodRequest:
    """The ids of a target after its context, cut where the context ends.

    As lm-eval does it: white space at the context's end belongs to the target, for most tokenizers
    join it to the next word; both are encoded together. Where a token would run over the border,
    they are encoded apart. An empty context is the end of a document, after which the next begins.
    Raises HornbookError when the tokenizer names no such token, or the target is empty.
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, target = context[:-spaces], context[-spaces:] + target
    if not target:
        raise HornbookError("There is no text whose likelihood could be told: it is empty.")
    before = tokenizer.encode_beginning(context)
    both = tokenizer.encode_beginning(context + target)
    after = both[len(before) :] if both[: len(before)] == before else []
    return LikelihoodRequest(before or begin_of(tokenizer), after or tokenizer.encode(target))


def begin_of(tokenizer: Tokenizer) -> list[int]:
    """The ids that stand before a text: its tokenizer's, or the one that ends documents, as in
    training."""
    if tokenizer.prefix:
        return tokenizer.prefix
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token.")
    return [tokenizer.eos_id]


def likelihoods_of(
    model: SequenceModel,
    requests: Sequence[LikelihoodRequest],
    advance: Callable[[int], None] = lambda requests: None,
) -> list[Likelihood]:
    """The likelihood of every request, in order. advance: is told of requests that are done.

    Requests that begin alike share what was read of it, in whatever order they come. Raises
    HornbookError for one that is longer than the model's context.
    """
    if not requests:
        return []
    row = _Row(model.sequences(1, max(len(r.context) + len(r.target) for r in requests)))
    found: list[Likelihood] = [Likelihood(0.0, True, 0)] * len(requests)
    # In the order of a dictionary, what begins alike stands together.
    for i in sorted(range(len(requests)), key=lambda i: tuple(requests[i].context)):
        context, target = requests[i]
        assert context and target
        found[i] = _likelihood(row.after(context, target[:-1]), target)
        advance(1)
    return found


class _Row:
    """One sequence, cut back to what the next one shares with it. ids: what it has read."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences, self._ids = sequences, list[int]()
        self._context: tuple[int, ...] = ()
        self._last = np.empty(0)

    def after(self, context: Sequence[int], more: Sequence[int]) -> np.ndarray:
        """The logits (1 + M, V) after a context, and after each of M more tokens."""
        if self._context != tuple(context):
            self._read(context)
        elif len(self._ids) > len(context):
            self._cut(len(context))
        if not more:
            return self._last[None]
        if len(self._ids) < len(context):
            self._read(context)
        logits = self._sequences.check(0, more)
        self._ids += more
        return np.concatenate([self._last[None], logits])

    def _read(self, context: Sequence[int]) -> None:
        """The last token is always read: its logits are wanted."""
        pairs = enumerate(zip(self._ids, context[:-1], strict=False))
        shared = min(len(self._ids), len(context) - 1)
        self._cut(next((i for i, (one, other) in pairs if one != other), shared))
        rest = context[len(self._ids) :]
        self._last = self._sequences.go_on({0: rest})[0]
        self._ids, self._context = list(context), tuple(context)

    def _cut(self, length: int) -> None:
        """A row that cannot be cut is read anew."""
        length = length if self._sequences.cuttable or length == len(self._ids) else 0
        self._sequences.cut(0, length)
        del self._ids[length:]


def _likelihood(logits: np.ndarray, target: Sequence[int]) -> Likelihood:
    """Of a target, from the logits (T, V) before each of its tokens."""
    rows, chosen = logits.astype(np.float64), np.asarray(target)
    most = rows.max(1)
    totals = most + np.log(np.exp(rows - most[:, None]).sum(1))
    logprob = float((rows[np.arange(len(chosen)), chosen] - totals).sum())
    return Likelihood(logprob, bool((rows.argmax(1) == chosen).all()), len(chosen))
