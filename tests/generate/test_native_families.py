"""Which decoders our kernels take, and that these are computed as their layers compute them."""

import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.kernel_weights import OtherPart, decoder_weights, described
from hornbook.models.pack import from_weights, pack
from hornbook.models.presets import PRESETS, llama, qwen3_moe
from hornbook.models.sequences import StateSequences
from hornbook.models.variants import gemma2, gemma3, granite, mistral, phi3, smollm3
from hornbook.nn.frequencies import LongScaling, RotaryConfig, YarnScaling
from hornbook.nn.mixture import MixtureConfig
from tests.tiny import decoder_sizes, loud

SIZES = decoder_sizes(
    vocab=96, width=64, depth=4, context=64, heads=4, kv_heads=2, head=16, hidden=128
)
LONG = LongScaling(short=(1.0, 1.5, 2.0), long=(2.0, 3.0, 5.0), original=40, attention=1.2)
OTHERS = {
    "gpt2": "more than token vectors at its bottom",
    "mamba2": "Mamba2 where Attention is needed",
    "lfm2": "ShortConv where Attention is needed",
    "lfm2-conv": "ShortConv where Attention is needed",
    "lstm": "LSTM where Attention is needed",
    "lstm-attention": "where Attention is needed",
}
"""Presets that torch's layers compute, and which part the kernels have not."""


def shared(sizes, heads):
    """So many heads that share keys."""
    return sizes.model_copy(update={"heads": heads, "kv_heads": 1, "head": 32})


def mixture(experts, chosen, **other):
    return MixtureConfig(experts=experts, chosen=chosen, hidden=32, **other)


VARIANTS = {
    "biased": lambda sizes: llama(sizes, biased=True),
    "tied": lambda sizes: llama(sizes.model_copy(update={"tied": True})),
    "one of keys": lambda sizes: llama(sizes.model_copy(update={"kv_heads": 1})),
    "five heads a key": lambda sizes: llama(shared(sizes, 5)),
    "seven heads a key": lambda sizes: llama(shared(sizes, 7)),
    "a window of one": lambda sizes: mistral(sizes, window=1),
    "a window of three": lambda sizes: mistral(sizes, window=3),
    "yarn": lambda sizes: llama(sizes, RotaryConfig(scaling=YarnScaling(factor=4, original=16))),
    "long positions": lambda sizes: phi3(sizes, 9, RotaryConfig(channels=6, scaling=LONG)),
    "multipliers": lambda sizes: granite(
        sizes, embedding=3.0, residual=0.3, scale=0.1, logits=4.0, biased=True
    ),
    "caps": lambda sizes: gemma2(sizes, window=5, scale=0.3, cap=2.0, logit_cap=3.0),
    "two wavelengths": lambda sizes: gemma3(sizes, window=4, whole=(1, 3), logit_cap=2.0),
    "one of three experts": lambda sizes: qwen3_moe(sizes, mixture(3, 1, normalised=False)),
    "all of nine experts": lambda sizes: qwen3_moe(sizes, mixture(9, 9, activation="gelu_tanh")),
    "hardly positions": lambda sizes: smollm3(sizes, without=(0, 1, 3)),
}


@pytest.fixture(scope="module", autouse=True)
def kernels():
    native.build()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")


def decoders():
    """All presets that continue text."""
    return [name for name, one in PRESETS.items() if isinstance(one(SIZES), CausalLMConfig)]


def packed(build):
    return pack(loud(build(SIZES).build()), from_weights(8))


@pytest.mark.parametrize("name", decoders())
def test_the_kernels_say_which_part_they_lack(name):
    model = packed(PRESETS[name])
    assert (decoder_weights(model) is None) == (name in OTHERS)
    if name in OTHERS:
        with pytest.raises(OtherPart, match=OTHERS[name]):
            described(model)


@pytest.mark.parametrize("name", [x for x in (*decoders(), *VARIANTS) if x not in OTHERS])
def test_a_decoder_gives_what_its_layers_give(name):
    model = packed({**PRESETS, **VARIANTS}[name])
    decoder, ids = NativeDecoder(decoder_weights(model)), some_ids()
    last = parity(model, decoder, ids, 48)
    assert np.array_equal(decoder.sequences(1).check(0, ids[0])[-1], last)


def test_long_positions_are_turned_as_the_room_of_a_sequence_wants():
    model = packed(VARIANTS["long positions"])
    decoder, ids = NativeDecoder(decoder_weights(model)), [each[:32] for each in some_ids()]
    near = parity(model, decoder, ids, 32)
    assert not np.array_equal(near, parity(model, decoder, ids, 48))


def some_ids():
    return np.random.default_rng(0).integers(0, 96, (2, 48)).tolist()


def parity(model, decoder, ids, capacity):
    """Chunks of two sequences through both; the last logits of the first."""
    ours = decoder.sequences(2, capacity)
    theirs = StateSequences(model, model.new_state(2, capacity, torch.float16))
    for start, stop in ((0, 1), (1, 30), (30, 31), (31, len(ids[0]))):
        new = {row: each[start:stop] for row, each in enumerate(ids)}
        one, other = theirs.go_on(new), ours.go_on(new)
        for row in new:
            assert np.square(one[row] - other[row]).mean() < 1e-4 * np.square(one[row]).mean()
    return other[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_meets_different_experts_and_stays_none(value):
    """There is memory for one meeting of a token and an expert: with two it was written behind."""
    weights = decoder_weights(packed(lambda sizes: qwen3_moe(sizes, mixture(9, 9))))
    found = weights._replace(embed=lambda ids: np.full((len(ids), 64), value, np.float32))
    for rows in (1, 1, 1, 2, 9):
        sequences = NativeDecoder(found).sequences(1)
        assert np.isnan(sequences.check(0, list(range(rows)))).all()
