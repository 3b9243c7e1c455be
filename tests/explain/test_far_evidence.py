"""Hiding beats recency where the evidence is far back, in a trained model of each kind.

Each learns to say again a name that stood behind a mark, anywhere in what it read. Short
convolutions alone can't see so far.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook.explain.deletion import BEATS, falls, verdicts
from hornbook.explain.next_token import NextToken
from hornbook.explain.rankings import rankings
from hornbook.models.presets import PRESETS
from tests.tiny import decoder_sizes

MARK, NAMES, LENGTH = 1, range(20, 28), 16
DEPTHS = {
    "qwen3": 2, "gpt2": 2, "qwen3-moe": 2, "mistral": 2, "mamba2": 2, "lfm2": 3, "qwen3.5": 2,
    "lstm": 2, "gemma2": 2, "gemma3": 2, "olmo2": 2, "phi3": 2, "smollm3": 2, "granite": 2,
}  # fmt: skip
"""Of one preset of each way to look back; the third block of LFM2 is its first attention."""
OTHERWISE = {name: {"window": 12} for name in ("mistral", "gemma2", "gemma3")}
"""Their windows reach the first tokens in two blocks, and in no single one."""

pytestmark = pytest.mark.slow


def told(draw, rows, farthest):
    """Fillers with a mark and a name among the first `farthest`, a mark at the end; the names."""
    ids = draw.integers(2, 20, size=(rows, LENGTH))
    at, names = draw.integers(farthest - 1, size=rows), draw.choice(NAMES, rows)
    every = np.arange(rows)
    ids[every, at], ids[every, at + 1], ids[:, -1] = MARK, names, MARK
    return ids, names


def trained(preset):
    """A model that says the name nearly always, after at most 1,500 steps."""
    sizes = decoder_sizes(
        width=32, heads=2, head=16, hidden=64, vocab=30, context=32, depth=DEPTHS[preset]
    )
    config = PRESETS[preset](sizes, **OTHERWISE.get(preset, {}))
    model, draw = config.build(seed=1).train(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    right = 0.0
    for _ in range(1500):
        ids, names = (torch.from_numpy(one) for one in told(draw, 64, LENGTH - 2))
        said = model(ids)[:, -1]
        optimiser.zero_grad()
        # As in training a sum over targets: what a mixture adds to it is one over tokens.
        F.cross_entropy(said, names, reduction="sum").backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        right = 0.9 * right + 0.1 * (said.argmax(-1) == names).float().mean().item()
        if right > 0.97:
            break
    assert right > 0.8, f"it did not learn it: {right:.2f}"
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("preset", DEPTHS)
def test_hiding_beats_recency_where_the_evidence_is_far_back(preset):
    model, found = trained(preset), []
    for ids, name in zip(*told(np.random.default_rng(1), 20, LENGTH // 2), strict=True):
        explained = NextToken(model, ids, int(name), (), start=0)
        found.append(falls(explained, rankings(explained, 1, 0)))
    (hiding,) = (one for one in verdicts(found) if one.method == "hiding")
    assert hiding.says == BEATS, verdicts(found)
