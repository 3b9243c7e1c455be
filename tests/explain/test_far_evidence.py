"""Hiding beats recency where the evidence is far back, in a trained model of each kind.

Each learns to say again a name that stood behind a mark, anywhere in what it read: what comes next,
what fills the gap at the end, or the translation. Short convolutions alone can't see so far.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook.explain.deletion import BEATS, falls, verdicts
from hornbook.explain.judged import FilledWord
from hornbook.explain.next_token import NextToken
from hornbook.explain.rankings import rankings
from hornbook.explain.translated import TokensOfTranslation
from hornbook.models.encoder_presets import (
    BertSizes,
    ModernBertShape,
    bert_masked_lm,
    modernbert,
    with_words,
)
from hornbook.models.masked_lm import TransformConfig
from hornbook.models.presets import PRESETS
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes, T5Shape, t5
from hornbook.nn.norm import LayerNormConfig
from tests.tiny import decoder_sizes

END, MARK, START, GAP = 0, 1, 28, 29
NAMES, LENGTH, VOCAB = range(20, 28), 16, 30
DEPTHS = {
    "qwen3": 2, "gpt2": 2, "qwen3-moe": 2, "mistral": 2, "mamba2": 2, "lfm2": 3, "qwen3.5": 2,
    "lstm": 2, "gemma2": 2, "gemma3": 2, "olmo2": 2, "phi3": 2, "smollm3": 2, "granite": 2,
}  # fmt: skip
"""Of one preset of each way to look back; the third block of LFM2 is its first attention."""
OTHERWISE = {name: {"window": 12} for name in ("mistral", "gemma2", "gemma3")}
"""Their windows reach the first tokens in two blocks, and in no single one."""
BERT = BertSizes(vocab=VOCAB, width=32, depth=2, context=32, heads=2, hidden=64)
MODERN = modernbert(BERT, ModernBertShape(everywhere=(True, False), window=12))
SIDE = SideSizes(depth=2, heads=2, hidden=64)
PAIR = PairSizes(
    vocab=VOCAB, width=32, context=32, encoder=SIDE, decoder=SIDE, start=START, dropout=0.0
)

pytestmark = pytest.mark.slow


class Decoder(NamedTuple):
    """Says the name after a mark at the end."""

    model: torch.nn.Module
    end = MARK

    def logits(self, ids):
        return self.model(ids)[:, -1]

    def explained(self, ids, name):
        return NextToken(self.model, ids, name, (), start=END)


class Encoder(NamedTuple):
    """Fills a gap at the end."""

    model: torch.nn.Module
    end = GAP

    def logits(self, ids):
        return self.model(ids)[:, -1]

    def explained(self, ids, name):
        return FilledWord(self.model, ids, {GAP}, LENGTH - 1, name)


class Translator(NamedTuple):
    """Writes the name alone."""

    model: torch.nn.Module
    end = END

    def logits(self, ids):
        before = torch.full((len(ids), 1), START)
        return self.model.head(self.model.features(before, self.model.encode(ids)))[:, -1]

    def explained(self, ids, name):
        return TokensOfTranslation(self.model, ids, [name, END], [0])


def decoder(preset):
    sizes = decoder_sizes(
        width=32, heads=2, head=16, hidden=64, vocab=VOCAB, context=32, depth=DEPTHS[preset]
    )
    return Decoder, PRESETS[preset](sizes, **OTHERWISE.get(preset, {}))


FAMILIES = {
    **{name: lambda name=name: decoder(name) for name in DEPTHS},
    "bert": lambda: (Encoder, bert_masked_lm(BERT)),
    "modernbert": lambda: (
        Encoder,
        with_words(
            MODERN,
            TransformConfig(activation="gelu", norm=LayerNormConfig(bias=False), bias=False),
        ),
    ),
    **{
        f"translator {name}": lambda make=make: (Translator, make(PAIR))
        for name, make in TRANSLATORS.items()
    },
    "t5": lambda: (Translator, t5(PAIR, T5Shape(head=16))),
}


def told(draw, rows, farthest, end):
    """Fillers with a mark and a name among the first `farthest`, and what ends them; the names."""
    ids = draw.integers(2, 20, size=(rows, LENGTH))
    at, names = draw.integers(farthest - 1, size=rows), draw.choice(NAMES, rows)
    every = np.arange(rows)
    ids[every, at], ids[every, at + 1], ids[:, -1] = MARK, names, end
    return ids, names


def trained(family):
    """A model that says the name nearly always, after at most 1,500 steps."""
    kind, config = FAMILIES[family]()
    one, draw = kind(config.build(seed=1).train()), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(one.model.parameters(), lr=1e-2)
    right = 0.0
    for _ in range(1500):
        ids, names = (torch.from_numpy(each) for each in told(draw, 64, LENGTH - 2, one.end))
        said = one.logits(ids)
        optimiser.zero_grad()
        # As in training a sum over targets: what a mixture adds to it is one over tokens.
        F.cross_entropy(said, names, reduction="sum").backward()
        torch.nn.utils.clip_grad_norm_(one.model.parameters(), 1.0)
        optimiser.step()
        right = 0.9 * right + 0.1 * (said.argmax(-1) == names).float().mean().item()
        if right > 0.97:
            break
    assert right > 0.8, f"it did not learn it: {right:.2f}"
    one.model.eval().requires_grad_(False)
    return one


@pytest.mark.parametrize("family", FAMILIES)
def test_hiding_beats_recency_where_the_evidence_is_far_back(family):
    one, found = trained(family), []
    asked = told(np.random.default_rng(1), 20, LENGTH // 2, one.end)
    for ids, name in zip(*asked, strict=True):
        explained = one.explained(ids, int(name))
        found.append(falls(explained, rankings(explained, 1, 0)))
    (hiding,) = (one for one in verdicts(found) if one.method == "hiding")
    assert hiding.says == BEATS, verdicts(found)
