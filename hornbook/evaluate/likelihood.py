"""How likely texts are: log-probabilities of target ids after context ids, batched by length.

Rows that read the same ids are computed once, and a prefix that all rows share (the shots of a
few-shot prompt) is read once into a state whose copies go on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.contract import Context, Mask, State

_BATCH_TOKENS = {"cpu": 2048, "cuda": 32_768}
"""Of one forward pass, padding included: more is no faster and takes memory."""
_LOGIT_ROWS = 512
"""Positions whose logits exist at once: 100 MB for a vocabulary of 49,152."""
_LEAST_PREFIX = 32
"""Tokens of a shared prefix below which copying a state costs more than reading them again."""


class _LogitRows(NamedTuple):
    """Where a request's logits are: in which row, and after which of its positions."""

    request: int
    start: int


def likelihoods(
    model: CausalLM,
    requests: Sequence[LikelihoodRequest],
    max_length: int | None = None,
    stride: int | None = None,
    advance: Callable[[int], None] = lambda parts: None,
) -> list[Likelihood]:
    """The likelihood of every request, in order; a row's does not depend on those beside it.

    max_length: tokens that the model sees at once, None for its context. What is longer is scored
    in windows, see `windows`. advance: told of windows that are done; there is one a request where
    nothing is long.
    """
    max_length = min(max_length or model.config.context, model.config.context)
    parts, owners = [], []
    for i, request in enumerate(requests):
        assert request.context and request.target
        for part in windows(request, max_length, stride or max(1, max_length // 2)):
            parts.append(part)
            owners.append(i)
    found: list[Likelihood] = [Likelihood(0.0, True, 0)] * len(requests)
    for i, one in zip(owners, _likelihoods(model, parts, advance), strict=True):
        whole = found[i]
        found[i] = Likelihood(
            whole.logprob + one.logprob, whole.greedy and one.greedy, whole.tokens + one.tokens
        )
    return found


def windows(
    request: LikelihoodRequest, max_length: int, stride: int
) -> Iterator[LikelihoodRequest]:
    """The requests of at most `max_length` ids each whose sum is the likelihood of one of any
    length.

    One, if it fits. Else each after the first scores the next `stride` ids of the target, with
    max_length - stride + 1 ids before them. What of the context is too far away is left out.
    """
    assert 1 <= stride <= max_length
    stream, start = [*request.context, *request.target], len(request.context)
    count = max(stride, max_length + 1 - start)
    while start < len(stream):
        stop = min(len(stream), start + count)
        yield LikelihoodRequest(stream[max(0, stop - 1 - max_length) : start], stream[start:stop])
        start, count = stop, stride


def _likelihoods(
    model: CausalLM, requests: Sequence[LikelihoodRequest], advance: Callable[[int], None]
) -> list[Likelihood]:
    rows: dict[tuple[int, ...], list[_LogitRows]] = {}
    for i, (context, target) in enumerate(requests):
        # A target's last id is read by nobody: one-token targets of a context share a row.
        row = (*context, *target[:-1])
        rows.setdefault(row, []).append(_LogitRows(i, len(context) - 1))
    prefix = _shared(list(rows), requests)
    found: list[Likelihood] = [Likelihood(0.0, True, 0)] * len(requests)
    with torch.inference_mode():
        state = _read(model, prefix, max(map(len, rows))) if prefix else None
        for batch in _batches(list(rows), len(prefix), model.device.type):
            features = _features(model, batch, len(prefix), state)
            places = [(at, place) for at, row in enumerate(batch) for place in rows[row]]
            for place, likelihood in _scores(model, features, places, requests, len(prefix)):
                found[place] = likelihood
            advance(len(places))
    return found


def _shared(rows: Sequence[tuple[int, ...]], requests: Sequence[LikelihoodRequest]) -> list[int]:
    """The ids that all rows begin with, if they are many enough to be read apart."""
    if len(rows) < 2:
        return []
    most = min(len(request.context) for request in requests) - 1
    # What the first and the last in order share, all between them share as well.
    first, last = min(rows)[:most], max(rows)[:most]
    pairs = enumerate(zip(first, last, strict=False))
    size = next((i for i, (one, other) in pairs if one != other), most)
    return list(first[:size]) if size >= _LEAST_PREFIX else []


def _batches(
    rows: list[tuple[int, ...]], prefix: int, device: str
) -> Iterator[list[tuple[int, ...]]]:
    """Rows of like length together, long ones first: what needs most memory fails at once."""
    rows = sorted(rows, key=len, reverse=True)
    start = 0
    while start < len(rows):
        count = max(1, _BATCH_TOKENS.get(device, 2048) // (len(rows[start]) - prefix))
        yield rows[start : start + count]
        start += count


def _read(model: CausalLM, prefix: Sequence[int], capacity: int) -> State:
    """The state of one row that has read the prefix."""
    state = model.new_state(1, capacity)
    tokens = torch.tensor([prefix], device=state.length.device)
    for part in tokens.split(_BATCH_TOKENS["cpu"], 1):
        model.go_on(part, state)
    return state


def _features(
    model: CausalLM, rows: Sequence[Sequence[int]], prefix: int, state: State | None
) -> Tensor:
    """What the head reads (B, T, D) of rows, without the prefix that the state has read."""
    device = model.device
    rests = [torch.tensor(row[prefix:], dtype=torch.int64) for row in rows]
    # Padding is on the right, so causal layers need no mask to be untouched by it.
    tokens = torch.nn.utils.rnn.pad_sequence(rests, batch_first=True).to(device)
    if state is None:
        pos = torch.arange(tokens.shape[1], device=device)[None]
        return model.features(tokens, Context(pos, Mask(causal=True)))
    return model.go_on(tokens, state.take(torch.zeros(len(rows), dtype=torch.int64, device=device)))


def _scores(
    model: CausalLM,
    features: Tensor,
    places: Sequence[tuple[int, _LogitRows]],
    requests: Sequence[LikelihoodRequest],
    prefix: int,
) -> Iterator[tuple[int, Likelihood]]:
    """Read the targets' logits off the features, a few hundred positions at a time."""
    sizes = [len(requests[place.request].target) for _, place in places]
    where = torch.tensor(
        [
            (row, place.start - prefix + i, requests[place.request].target[i])
            for (row, place), size in zip(places, sizes, strict=True)
            for i in range(size)
        ],
        device=features.device,
    )
    logprobs, likeliest = [], []
    for part in where.split(_LOGIT_ROWS):
        logits = model.head(features[part[:, 0], part[:, 1]]).float()
        chosen = logits.gather(1, part[:, 2:])[:, 0]
        logprobs.append((chosen - logits.logsumexp(1)).double())
        likeliest.append(logits.argmax(1) == part[:, 2])
    by_request = zip(
        places,
        sizes,
        torch.cat(logprobs).cpu().split(sizes),
        torch.cat(likeliest).cpu().split(sizes),
        strict=True,
    )
    for (_, place), size, nats, right in by_request:
        yield place.request, Likelihood(float(nats.sum()), bool(right.all()), size)
