"""What the model makes of spans of a stream: their loss, and the gradient of it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.shards import TokenShards
from hornbook.explain.sentence import TokenSpan
from hornbook.training.objective import next_token, token_losses

_ROWS = 16
"""Spans that are computed at once."""


class SpanLosses:
    """Spans of one length as batches that have them, and nothing else, for targets.

    Before each span come as many tokens of the stream as fit into half of what the model sees.
    """

    def __init__(self, shards: TokenShards, spans: Sequence[TokenSpan], context: int) -> None:
        self._rows = [_row(shards, span, context // 2) for span in spans]

    def nats(self, model: nn.Module) -> np.ndarray:
        """(N,) the mean loss of each span's tokens; the model stays in its mode."""
        was_training = model.training
        model.eval()
        found = []
        with torch.no_grad():
            for first in range(0, len(self._rows), _ROWS):
                batch = _batch(self._rows[first : first + _ROWS], model)
                scored = (batch.targets != IGNORE).sum(1)
                found.append((token_losses(model, batch).sum(1) / scored).double().cpu().numpy())
        model.train(was_training)
        return np.concatenate(found)

    def gradient_norms(self, model: nn.Module) -> np.ndarray:
        """(N,) the squared norm of the gradient of each span's mean loss."""
        was_training = model.training
        model.eval()
        found = []
        for row in self._rows:
            model.zero_grad()
            loss, count = next_token(model, _batch([row], model))
            (loss / count).backward()
            grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
            found.append(sum(float(grad.double().square().sum()) for grad in grads))
        model.zero_grad()
        model.train(was_training)
        return np.array(found)


def _row(shards: TokenShards, span: TokenSpan, before: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a span. What stands before the first token of all is an end."""
    begin = max(0, span.start - before)
    ahead = shards.read(begin - 1, begin) if begin else np.array([shards.eos])
    stream = np.concatenate([ahead, shards.read(begin, span.stop)]).astype(np.int64)
    targets = np.full(len(stream) - 1, IGNORE, np.int64)
    targets[span.start - begin :] = stream[1 + span.start - begin :]
    return stream[:-1], targets


def _batch(rows: Sequence[tuple[np.ndarray, np.ndarray]], model: nn.Module) -> Batch:
    """Rows, padded on the right, where causal models do not see it."""
    columns: list[Tensor] = []
    for values, fill in zip(zip(*rows, strict=True), (0, IGNORE), strict=True):
        parts = [torch.from_numpy(part) for part in values]
        columns.append(torch.nn.utils.rnn.pad_sequence(parts, True, fill))
    tokens, targets = columns
    device = str(next(model.parameters()).device)
    return Batch(tokens, targets, torch.arange(tokens.shape[1])[None]).to(device)
