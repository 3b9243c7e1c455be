"""How much a token counts: by another in its place, drawn from what the model expected there.

Unlike a hidden token, what stands there then is text as the model knows it; unlike the mean of all
embeddings, it is a token.
"""

import numpy as np

from hornbook.core.progress import Advance
from hornbook.explain.next_token import NextToken


def by_resampling(
    explained: NextToken, draws: int, seed: int, advance: Advance = lambda amount: None
) -> np.ndarray:
    """By how much the target's log-probability falls, in the mean, when a token is drawn anew from
    the model's distribution after the tokens before it: (N,) nats.

    draws: different tokens tried at each place. A draw of the token itself changes nothing and has
    its probability p: the mean over the others is multiplied by 1 - p.
    """
    ids, random = explained.ids, np.random.default_rng(seed)
    shares, rows = explained.foretold(), []
    for place, share in enumerate(shares):
        others = share.copy()
        others[ids[place]] = 0.0
        drawn = np.repeat(ids[None], draws, 0)
        drawn[:, place] = _draw(others, draws, random)
        rows.append(drawn)
    full = explained.log_probabilities(np.ones((1, len(ids)), bool))[0, 0]
    after = _in_parts(explained, np.concatenate(rows), advance).reshape(len(ids), draws)
    own = shares[np.arange(len(ids)), ids]
    scores: np.ndarray = (1 - own) * (full - after.mean(1))
    return scores


def _draw(shares: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """Ids by their shares, which sum to anything above 0."""
    running = shares.cumsum()
    if running[-1] <= 0:  # the model is sure of the token that is there
        return random.integers(len(shares), size=draws)
    found: np.ndarray = running.searchsorted(random.random(draws) * running[-1], side="right")
    return found


def _in_parts(explained: NextToken, rows: np.ndarray, advance: Advance) -> np.ndarray:
    found, at_once = [], explained.at_once
    for start in range(0, len(rows), at_once):
        found.append(explained.replaced(rows[start : start + at_once]))
        advance(len(found[-1]))
    return np.concatenate(found)
