"""All ways in which the pieces of an input are ranked by how much they count."""

import numpy as np

from hornbook.core.progress import Advance
from hornbook.explain.explained import Explained
from hornbook.explain.influence import by_gradient, by_hiding
from hornbook.explain.looking import by_attention
from hornbook.explain.next_token import NextToken
from hornbook.explain.resampling import by_resampling
from hornbook.explain.translated import TokensOfTranslation, alignment

HIDING = "hiding"


def rankings(
    explained: Explained, draws: int, seed: int, advance: Advance = lambda amount: None
) -> dict[str, np.ndarray]:
    """Scores (N,) of each method: hiding, resampling where a model says what could stand there,
    gradient, gradient_input, and attention and rollout where there is attention.

    draws: of resampling, see there; 0 leaves it out.
    """
    found = {HIDING: by_hiding(explained, advance).sum(1)}
    if isinstance(explained, NextToken) and draws:
        found["resampling"] = by_resampling(explained, draws, seed, advance)
    norm, product = by_gradient(explained)
    return {**found, "gradient": norm, "gradient_input": product, **_looked_at(explained)}


def _looked_at(explained: Explained) -> dict[str, np.ndarray]:
    """By attention, where there is any; of a translation, by what it looks at of the source."""
    if not isinstance(explained, TokensOfTranslation):
        return by_attention(explained)
    looked = alignment(explained)
    return {} if looked is None else {"attention": looked.mean(0)}


def rows_of(explained: Explained, draws: int) -> int:
    """Rows that `rankings` computes, as its `advance` counts them."""
    resampled = draws * explained.size if isinstance(explained, NextToken) else 0
    return 1 + explained.size + resampled
