"""Explanations of every family: what is hidden has no effect, what is said sums up to the model's
own answer, and the test finds what a model does look at.
"""

import numpy as np
import pytest
import torch

from hornbook.explain import contexts, deletion
from hornbook.explain.influence import by_gradient, by_hiding
from hornbook.explain.judged import ClassOfImage, ClassOfText, FilledWord
from hornbook.explain.lens import lens
from hornbook.explain.looking import by_attention, watched
from hornbook.explain.next_token import NextToken
from hornbook.explain.rankings import rankings
from hornbook.explain.recall import recall
from hornbook.explain.resampling import by_resampling
from hornbook.explain.translated import TokensOfTranslation, alignment
from hornbook.models.classifier import on_decoder, on_encoder
from hornbook.models.encoder_presets import (
    BertSizes,
    ModernBertShape,
    ViTSizes,
    bert,
    bert_masked_lm,
    modernbert,
    vit,
    with_words,
)
from hornbook.models.masked_lm import TransformConfig
from hornbook.models.presets import MASKED_PRESETS, PRESETS, llama
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes, T5Shape, t5
from hornbook.nn.attend import DotProductAttention
from hornbook.nn.contract import Context, Mask
from hornbook.nn.norm import LayerNormConfig
from tests.tiny import decoder_sizes, loud

IDS = [3, 14, 15, 9, 26, 5, 35]
SIDE = SideSizes(depth=2, heads=2, hidden=24)
PAIR = PairSizes(vocab=50, width=16, context=32, encoder=SIDE, decoder=SIDE, start=49, dropout=0.0)
BERT = BertSizes(vocab=50, width=16, depth=2, context=24, heads=2, hidden=24)
MODERN = modernbert(BERT, ModernBertShape(everywhere=(True, False), window=4))
MODERN_HEAD = TransformConfig(activation="gelu", norm=LayerNormConfig(bias=False), bias=False)
VIT = ViTSizes(size=8, patch=4, channels=3, width=16, depth=2, heads=2, hidden=24)


def after(preset, ids=IDS, begin=(), target=7):
    model = loud(PRESETS[preset](decoder_sizes()).build())
    return NextToken(model, ids, target, begin, start=0)


def label(config):
    return ClassOfText(loud(config.build()), np.array([1, *IDS, 2]), {1, 2}, 1)


def image():
    pixels = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return ClassOfImage(loud(vit(VIT, "ab").build()), pixels, 1)


def gap(config):
    ids = np.array([1, 3, 14, 4, 9, 26, 2])
    return FilledWord(loud(config.build()), ids, {1, 2}, 3, 7)


def translation(preset):
    model = loud(preset(PAIR).build())
    return TokensOfTranslation(model, np.array([*IDS, 0]), [8, 9, 0], [0, 1, 2])


DECODERS = [name for name in PRESETS if name not in MASKED_PRESETS]
CASES = {
    **{name: lambda name=name: after(name) for name in DECODERS},
    "begun": lambda: after("llama", begin=(1, 2)),
    "label": lambda: label(on_encoder(bert(BERT), "ab")),
    "label by a decoder": lambda: label(on_decoder(PRESETS["lstm"](decoder_sizes()), "ab")),
    "label by modernbert": lambda: label(on_encoder(MODERN, "ab")),
    "image": image,
    "gap": lambda: gap(bert_masked_lm(BERT)),
    "gap of modernbert": lambda: gap(with_words(MODERN, MODERN_HEAD)),
    **{name: lambda make=make: translation(make) for name, make in TRANSLATORS.items()},
    "t5": lambda: translation(lambda sizes: t5(sizes, T5Shape(head=8))),
}
every_case = pytest.mark.parametrize("make", CASES.values(), ids=CASES)


@every_case
def test_shapes_bits_and_a_target_that_is_the_models_own(make):
    explained = make()
    hidden = by_hiding(explained)
    assert hidden.shape == (explained.size, len(explained.targets))
    assert np.isfinite(hidden).all() and np.abs(hidden).max() > 1e-3
    assert np.array_equal(hidden, by_hiding(make()))
    for score in rankings(explained, 2, 0).values():
        assert score.shape == (explained.size,) and np.isfinite(score).all()
    full = explained.log_probabilities(np.ones((1, explained.size), bool))
    assert (full < 0).all()


@pytest.mark.parametrize("preset", DECODERS)
def test_a_hidden_token_is_truly_without_effect(preset):
    """Another token in its place changes no bit; what is seen keeps its position."""
    for place, kept in enumerate(~np.eye(len(IDS), dtype=bool)):
        found = after(preset).log_probabilities(kept[None])
        other = after(preset, [*IDS[:place], 41, *IDS[place + 1 :]])
        assert np.array_equal(other.log_probabilities(kept[None]), found)


@every_case
def test_what_is_seen_has_an_effect_and_rows_do_not_meet(make):
    explained = make()
    size = explained.size
    kept = np.tri(size, dtype=bool)
    together = explained.log_probabilities(kept)
    for row in range(size):
        alone = explained.log_probabilities(kept[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)


@pytest.mark.parametrize("preset", ["qwen3", "gpt2", "gemma2", "olmo2", "phi3", "granite"])
def test_hiding_is_what_the_mask_of_attention_does(preset):
    explained, model = after(preset), after(preset).model
    tokens, pos = torch.tensor([IDS]), torch.arange(len(IDS))[None]
    hidden = by_hiding(explained)[:-1, 0]
    full = explained.log_probabilities(np.ones((1, len(IDS)), bool))[0, 0]
    for place, score in enumerate(hidden):
        valid = torch.ones(1, len(IDS), dtype=torch.bool)
        valid[0, place] = False
        x = model.features(tokens, Context(pos, Mask(True, valid)))[:, -1]
        masked = model.head(x).double().log_softmax(-1)[0, 7].item()
        assert abs((full - masked) - score) < 1e-4


@every_case
def test_the_lens_ends_in_what_the_model_says(make):
    explained = make()
    stack = "decoder" if isinstance(explained, TokensOfTranslation) else "stack"
    sizes = [len(block) for block in explained.model.config.stacks()[stack].blocks()]
    rows = lens(explained, sizes)
    full = explained.log_probabilities(np.ones((1, explained.size), bool))[0, 0]
    assert [row.block for row in rows] == list(range(1, len(sizes) + 1))
    assert abs(np.log(rows[-1].target_probability) - full) < 1e-4
    assert rows[0].target_probability != rows[-1].target_probability
    assert np.array_equal(by_hiding(make()), by_hiding(explained)), "hooks were left"


@every_case
def test_gradients_are_those_of_small_changes(make):
    explained = make()
    norm, product = by_gradient(explained)
    assert norm.min() >= 0 and norm.max() > 0
    everything = np.ones((1, explained.size), bool)
    with_one = explained.log_probabilities(everything).sum()
    scale = 1e-3

    def larger(module, inputs, made):
        made = made.clone()
        spot = explained.places[0]
        if first:
            first.pop()
            made[:, spot] *= 1 + scale
        return made

    first = [True]
    hook = explained.embedding.register_forward_hook(larger)
    moved = explained.log_probabilities(everything).sum()
    hook.remove()
    assert abs((moved - with_one) / scale - product[0]) < 0.05 * max(1.0, abs(product[0])) + 0.05


@every_case
def test_attention_sums_to_one_where_there_is_attention(make):
    explained = make()
    if isinstance(explained, TokensOfTranslation):
        return
    found = by_attention(explained)
    there = any(isinstance(part, DotProductAttention) for part in explained.stack.modules())
    assert bool(found) == there
    for scores in found.values():
        assert (scores >= 0).all() and scores.sum() <= 1 + 1e-6


def test_watched_weights_are_those_that_were_used():
    explained = after("llama")
    part = next(p for p in explained.stack.modules() if isinstance(p, DotProductAttention))
    used = []
    with watched(part) as seen:
        hook = part.register_forward_hook(lambda module, inputs, y: used.append((inputs[2], y)))
        explained.log_probabilities(np.ones((1, len(IDS)), bool))
        hook.remove()
    ((values, y),) = used
    torch.testing.assert_close(seen[0] @ values, y, atol=1e-5, rtol=1e-5)
    assert seen[0].triu(1).abs().max() == 0


@pytest.mark.parametrize("preset", TRANSLATORS)
def test_an_alignment_is_shares_of_the_source(preset):
    found = alignment(translation(TRANSLATORS[preset]))
    if preset == "lstm":
        assert found is None
        return
    assert found.shape == (3, len(IDS)) and (found >= 0).all()
    assert (found.sum(1) <= 1 + 1e-6).all() and found.sum() > 0


def test_resampling_draws_the_same_by_seed_and_spares_a_sure_token():
    explained = after("llama")
    one, same, other = (by_resampling(explained, 3, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    shares = explained.foretold()
    assert shares.shape == (len(IDS), 50)
    np.testing.assert_allclose(shares.sum(1), 1)
    full = explained.replaced(explained.ids[None])
    np.testing.assert_allclose(full, explained.log_probabilities(np.ones((1, len(IDS)), bool))[0])
    # What the model foretells at a place is what it says after the tokens before it.
    for place in (1, 4):
        before = NextToken(explained.model, IDS[:place], 7, (), start=0)
        with torch.no_grad():
            said = before.logits(before.everything())[0, 0].double().softmax(-1)
        np.testing.assert_allclose(shares[place], said.numpy(), atol=1e-6)


class Bag(NextToken):
    """A model that looks at one token of its context alone."""

    def __init__(self, size, looked_at):
        super().__init__(llama(decoder_sizes()).build(), range(size), 0, (), start=0)
        self.looked_at = looked_at

    def log_probabilities(self, kept, advance=lambda amount: None):
        return np.where(kept[:, self.looked_at], -1.0, -9.0)[:, None]


def test_the_deletion_test_finds_what_beats_recency_and_what_does_not():
    found = []
    for looked_at in (0, 1, 2, 3, 5):
        bag, places = Bag(20, looked_at), np.arange(20)
        ranks = {"true": -np.abs(places - looked_at), "false": np.abs(places - looked_at)}
        found.append(deletion.falls(bag, ranks))
    true, false = deletion.verdicts(found)
    assert (true.method, true.says) == ("true", deletion.BEATS)
    assert true.low > 0 and true.fall == 8 and true.contexts == 5
    assert false.method == "false" and false.says != deletion.BEATS
    ones = deletion.verdicts(found[:1])
    assert all(one.says == deletion.NO_BETTER for one in ones), "one context says nothing"


def test_recency_itself_is_no_better_than_recency_and_the_asked_token_stays():
    bag = Bag(9, 8)
    found = deletion.falls(bag, {"same": np.arange(9)})
    assert found == {"recency": 0.0, "same": 0.0}, "the last token is what is asked"
    (same,) = deletion.verdicts([found] * 4)
    assert same.says == deletion.NO_BETTER
    assert deletion.steps_of(9) == [1, 2, 4, 8, 9] and deletion.steps_of(1) == [1]


def test_far_contexts_hold_their_evidence_once_and_in_the_first_half():
    draw = np.random.default_rng(0)
    ids = draw.integers(5, 30, size=400)
    ids[[50, 70, 200, 225]] = [1, 1, 2, 2]
    found = list(contexts.far(ids, 30))
    assert {1, 2} <= {one.target for one in found}
    for one in found:
        assert len(one.ids) == 30 and one.evidence is not None and one.evidence < 15
        assert np.flatnonzero(one.ids == one.target).tolist() == [one.evidence]
    assert [one.target for one in found][:2] == [1, 2], "the rarest first"
    assert all(len(one.ids) <= 30 for one in contexts.spread(ids, 30, 7))
    assert len(contexts.spread(ids, 30, 7)) == 7


class Remembers(torch.nn.Module):
    """A decoder that says again what followed the same token, up to `reach` tokens back."""

    def __init__(self, reach, vocab=40):
        super().__init__()
        self.reach, self.device = reach, torch.device("cpu")
        self.config = llama(decoder_sizes(vocab=vocab, context=128))
        self.head = torch.nn.Identity()

    def features(self, tokens, ctx):
        said = torch.zeros(*tokens.shape, self.config.vocab)
        for row, ids in enumerate(tokens.tolist()):
            for at, token in enumerate(ids):
                for back in range(max(0, at - self.reach), at):
                    if ids[back] == token:
                        said[row, at, ids[back + 1]] += 9.0
        return said


def test_recall_says_how_far_back_a_model_remembers():
    found = recall(Remembers(40), 128, rows=6, seed=0)
    assert [one.distance for one in found] == [8, 16, 32, 64]
    gains = [one.gain for one in found]
    assert min(gains[:3]) > 1 and abs(gains[3]) < 0.5
    assert all(one.low <= one.gain <= one.high for one in found)
