"""Validation: how many bits the model needs for a byte of text it has not seen.

Bits per byte do not depend on the tokenizer, so any two models, and gzip, stand on one axis.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.masking import Windows
from hornbook.batches.shards import TokenShards
from hornbook.core.machine import DType
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type

Losses = Callable[[nn.Module, Batch], Tensor]


class Score(NamedTuple):
    """bits_per_byte with its interval (bootstrap over windows); nats a token; tokens scored."""

    bits_per_byte: Estimate
    nats_per_token: float
    tokens: int


class Validation:
    """Windows over held-out shards.

    Each window of `context` tokens scores its last `stride` targets (the first window all of
    them), so every token is scored once with at least context - stride tokens before it.
    token_bytes: (V,) how many bytes of text each token stands for. limit: score at most about so
    many tokens, in windows spread evenly over the text.
    """

    def __init__(
        self,
        shards: TokenShards,
        token_bytes: np.ndarray,
        context: int,
        rows: int,
        stride: int | None = None,
        limit: int | None = None,
    ) -> None:
        self.shards, self.token_bytes = shards, token_bytes
        self.context, self.rows, self.stride = context, rows, stride or context
        self.limit = limit
        starts = np.arange(0, shards.tokens, self.stride)
        if limit is not None and limit < shards.tokens:
            keep = max(1, limit // self.stride)
            starts = starts[np.linspace(0, len(starts) - 1, keep).astype(int)]
        self.starts = starts

    @property
    def steps(self) -> int:
        """How many batches there are."""
        return -(-len(self.starts) // self.rows)

    def score(
        self,
        model: nn.Module,
        losses: Losses,
        device: str,
        dtype: DType,
        view: Windows | None = None,
    ) -> Score:
        """Measure `model`; it is left in the mode (training or not) in which it came.

        view: this validation's batches as the model's kind learns from them, where that is not the
        next token.
        """
        nats, sizes, count = self._measure(model, losses, device, dtype, view)
        estimate = bootstrap_ratio(list(nats / math.log(2)), list(sizes))
        return Score(estimate, float(nats.sum()) / count, count)

    def bits(
        self, model: nn.Module, losses: Losses, device: str, dtype: DType
    ) -> tuple[np.ndarray, np.ndarray]:
        """(W,) bits that each window costs, and (W,) its bytes: two models are compared on them."""
        nats, sizes, _ = self._measure(model, losses, device, dtype, None)
        return nats / math.log(2), sizes

    def _measure(
        self, model: nn.Module, losses: Losses, device: str, dtype: DType, view: Windows | None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Nats and bytes of each window, and how many tokens were scored."""
        was_training = model.training
        model.eval()

        def measured(step: int) -> tuple[list[float], list[int], int]:
            batch = (view or self).batch(step)
            with torch.no_grad(), product_type(device, dtype):
                found = losses(model, batch.to(device)).double().cpu().numpy()
            targets = batch.targets.numpy()
            scored = targets != IGNORE
            real = scored.any(1)
            sizes = np.where(scored, self.token_bytes[targets], 0).sum(1)[real]
            return found.sum(1)[real].tolist(), sizes.tolist(), int(scored.sum())

        nats, sizes, counts = zip(*spread(measured, range(self.steps)), strict=True)
        model.train(was_training)
        return np.concatenate(nats), np.concatenate(sizes).astype(np.int64), sum(counts)

    def batch(self, step: int) -> Batch:
        """The step-th windows, counted from 0, with next tokens for targets."""
        first = step * self.rows
        windows = [self._window(int(s)) for s in self.starts[first : first + self.rows]]
        # All batches have one shape, so that compiled layers meet no other.
        windows += [_empty(self.context)] * (self.rows - len(windows))
        tokens, targets = (
            torch.from_numpy(np.stack(column)) for column in zip(*windows, strict=True)
        )
        return Batch(tokens, targets, torch.arange(self.context)[None])

    def _window(self, start: int) -> tuple[np.ndarray, np.ndarray]:
        """The window that scores targets start .. start + stride of the stream.

        The token before the first is an end of document, as in training.
        """
        stop = min(start + self.stride, self.shards.tokens)
        begin = max(0, stop - self.context)
        before = [self.shards.read(begin - 1, begin)] if begin else [[self.shards.eos]]
        stream = np.concatenate([*before, self.shards.read(begin, stop)]).astype(np.int64)
        tokens, targets = _empty(self.context)
        tokens[: len(stream) - 1] = stream[:-1]
        targets[start - begin : stop - begin] = stream[1 + start - begin :]
        return tokens, targets


def _empty(context: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(context, np.int64), np.full(context, IGNORE, np.int64)
