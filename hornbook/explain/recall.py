"""What a model still holds of what it read: a phrase is repeated after a distance.

Tokens drawn at random say nothing of each other, so that only what is remembered of the first time
helps the second (as in Olsson et al. 2022, "repeated random tokens"). Where there is no attention,
this is what the recurrent state still holds.
"""

from typing import NamedTuple

import numpy as np
import torch

from hornbook.core.progress import Advance
from hornbook.core.stats import bootstrap_ratio
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.contract import Context, Mask

PHRASE = 8
"""Tokens that are repeated; the first one is the cue and is not asked for."""


class Recall(NamedTuple):
    """distance: tokens from a token to its repetition. gain: by how many nats a token of the phrase
    is likelier the second time than where another phrase stood first, with its 95 % interval."""

    distance: int
    gain: float
    low: float
    high: float


def distances(context: int) -> list[int]:
    """Powers of two that a context has room for."""
    return [2**i for i in range(3, 13) if 2**i + PHRASE <= context]


@torch.no_grad()
def recall(
    model: CausalLM, most: int, rows: int, seed: int, advance: Advance = lambda amount: None
) -> list[Recall]:
    """The gain at each distance up to `most` tokens, over `rows` drawn sequences each."""
    random, found = np.random.default_rng(seed), []
    for distance in [one for one in distances(model.config.context) if one <= most]:
        ids = random.integers(model.config.vocab, size=(rows, distance + PHRASE))
        ids[:, distance:] = ids[:, :PHRASE]
        other = ids.copy()
        other[:, :PHRASE] = random.integers(model.config.vocab, size=(rows, PHRASE))
        gain = (_last(model, ids) - _last(model, other)).mean(1)
        found.append(Recall(distance, *bootstrap_ratio(gain.tolist(), [1.0] * rows)))
        advance(1)
    return found


def _last(model: CausalLM, ids: np.ndarray) -> np.ndarray:
    """Log-probabilities of the last tokens but the cue, (R, PHRASE - 1)."""
    tokens = torch.from_numpy(ids).to(model.device)
    pos = torch.arange(tokens.shape[1] - 1, device=tokens.device)[None]
    x = model.features(tokens[:, :-1], Context(pos, Mask(True), shared={}))
    logs = model.head(x[:, 1 - PHRASE :]).double().log_softmax(-1)
    found: np.ndarray = logs.gather(-1, tokens[:, 1 - PHRASE :, None])[..., 0].cpu().numpy()
    return found
