"""Beam search: the likeliest targets of a source, several kept at every step; one beam is greedy.

The rules, ties apart, are those of `transformers`: a beam that ends competes only while it is among
the likeliest `beams`; finished beams are compared by the sum of their log-probabilities over
length^penalty, and a source is done when its best running beam, at its present length, cannot beat
the worst of as many finished ones.
"""

from typing import NamedTuple, Protocol

import torch
from pydantic import Field
from torch import Tensor

from hornbook.core.config import Config
from hornbook.nn.contract import State

_NEVER = -1e9


class BeamConfig(Config):
    """beams: kept for each source. penalty: of length; above 0 favours longer targets.
    max_tokens: of a target, its end included; None for twice the longest source and 10 more.
    """

    beams: int = Field(default=4, ge=1)
    penalty: float = 1.0
    max_tokens: int | None = Field(default=None, ge=1)


class BeamSearchModel(Protocol):
    """What the search sees of a model."""

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor: ...

    def new_state(
        self, source: Tensor, valid: Tensor | None = None, capacity: int | None = None
    ) -> State: ...


class Hypothesis(NamedTuple):
    """The best target of a source: its ids, the end included if it came, and its score."""

    ids: list[int]
    score: float


class _Beams(NamedTuple):
    """Of each source (N) the running beams (K) and the finished ones, best first.

    ids: (N, K, T) int64. scores: (N, K), sums of log-probabilities. ended, ended_scores: the same
    of the finished, whose scores are divided by length^penalty; lengths: (N, K) int64 of them.
    """

    ids: Tensor
    scores: Tensor
    ended: Tensor
    ended_scores: Tensor
    lengths: Tensor


@torch.inference_mode()
def search(
    model: BeamSearchModel, source: Tensor, valid: Tensor, start: int, end: int, config: BeamConfig
) -> list[Hypothesis]:
    """The best target of each source (N, S) int64, valid (N, S) bool; `start` comes before it.

    Sources that are done leave the batch. What a source gives does not depend on those beside it.
    """
    capacity = config.max_tokens or 2 * source.shape[1] + 10
    state = model.new_state(source, valid, capacity)
    steps, count, k = state.capacity, len(source), config.beams
    device = source.device
    state = state.take(torch.arange(count, device=device).repeat_interleave(k))
    beams, waiting = _fresh(count, k, steps, device), torch.arange(count, device=device)
    found: list[Hypothesis] = [Hypothesis([], _NEVER)] * count
    last = torch.full((count * k, 1), start, device=device)
    for step in range(steps):
        logs = model(last, state)[:, -1].float().log_softmax(-1)
        beams, parents = _extend(beams, logs, step, end, step + 1 == steps, config.penalty)
        done = _done(beams, step + 1, config.penalty) | (step + 1 == steps)
        if bool(done.any()):
            for row in done.nonzero()[:, 0].tolist():
                found[int(waiting[row])] = _best(beams, row)
            keep = ~done
            beams, waiting = _Beams(*(tensor[keep] for tensor in beams)), waiting[keep]
            if not len(waiting):
                break
            state = state.take(parents[keep].flatten())
        else:
            state.follow(parents.flatten())
        last = beams.ids[:, :, step].reshape(-1, 1)
    return found


def _fresh(count: int, k: int, steps: int, device: torch.device) -> _Beams:
    """Before the first step all beams of a source are one, so only its first may be extended."""
    ids = torch.zeros(count, k, steps, dtype=torch.int64, device=device)
    scores = torch.full((count, k), _NEVER, device=device)
    ended_scores = scores.clone()
    scores[:, 0] = 0.0
    lengths = torch.zeros(count, k, dtype=torch.int64, device=device)
    return _Beams(ids, scores, ids.clone(), ended_scores, lengths)


def _extend(
    beams: _Beams, logs: Tensor, step: int, end: int, final: bool, penalty: float
) -> tuple[_Beams, Tensor]:
    """One token more on every beam, given log-probabilities (N*K, V).

    Returns the beams and, for the running ones, the rows (N, K) of the state that they continue.
    final: no step follows, so all that is kept has ended.
    """
    count, k, vocab = *beams.scores.shape, logs.shape[-1]
    most = min(2 * k, vocab)  # so many that k go on even if k others end
    # First of each beam, then of all: sums of the whole vocabulary would take twice the time.
    best_logs, tokens = logs.topk(most)
    sums = best_logs.view(count, k, most) + beams.scores[..., None]
    scores, flat = sums.flatten(1).topk(2 * k)
    origin, token = flat // most, tokens.view(count, -1).gather(1, flat)
    ids = _pick(beams.ids, origin)
    ids[:, :, step] = token
    ends = (token == end) | final
    going_scores, going = scores.where(~ends, scores + _NEVER).topk(k)
    likeliest = torch.arange(2 * k, device=ends.device) < k
    normalised = (scores / (step + 1) ** penalty).where(ends & likeliest, _NEVER)
    length = torch.full_like(token, step + 1)
    ended_scores, best = torch.cat([beams.ended_scores, normalised], 1).topk(k)
    rows = torch.arange(count, device=ends.device)[:, None] * k
    after = _Beams(
        ids=_pick(ids, going),
        scores=going_scores,
        ended=_pick(torch.cat([beams.ended, ids], 1), best),
        ended_scores=ended_scores,
        lengths=torch.cat([beams.lengths, length], 1).gather(1, best),
    )
    return after, rows + origin.gather(1, going)


def _done(beams: _Beams, length: int, penalty: float) -> Tensor:
    """Which sources (N,) no running beam can improve any more, as far as can be told.

    One beam is greedy: what it finds first is what it finds.
    """
    if beams.scores.shape[1] == 1:
        return beams.lengths[:, 0] > 0
    done: Tensor = beams.scores[:, 0] / length**penalty <= beams.ended_scores[:, -1]
    return done


def _best(beams: _Beams, row: int) -> Hypothesis:
    ids = beams.ended[row, 0, : int(beams.lengths[row, 0])]
    return Hypothesis(ids.tolist(), float(beams.ended_scores[row, 0]))


def _pick(ids: Tensor, beams: Tensor) -> Tensor:
    """The chosen beams (N, M) of ids (N, K, T), as a copy."""
    return ids.gather(1, beams[..., None].expand(-1, -1, ids.shape[2]))
