"""Guesses change how fast an answer comes, never the answer."""

import random

import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.speculate import LONGEST, ModelDrafter, PromptLookup, decode_drafted
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from tests.tiny import slow

SIZES = DecoderSizes(
    vocab=23, width=16, depth=2, context=48, heads=2, kv_heads=1, head=8, hidden=24, tied=False
)
STOPS = frozenset({7})


def build(name, seed=0):
    model = PRESETS[name](SIZES).build(seed).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


class Guesser:
    """Guesses right with a probability: it knows the answer."""

    def __init__(self, answer, right, seed):
        self._answer, self._right, self._draw = answer, right, random.Random(seed)
        self.asked = []

    def propose(self, ids, most):
        self.asked.append(most)
        known = self._answer[len(ids) : len(ids) + self._draw.randint(0, most)]
        return [i if self._draw.random() < self._right else (i + 1) % 23 for i in known]


class Limit:
    """A constraint that remembers: no token twice in a row."""

    def __init__(self):
        self._last = None

    def allowed(self):
        found = np.ones(23, bool)
        if self._last is not None:
            found[self._last] = False
        return found

    def advance(self, id, /):
        self._last = id


@pytest.mark.parametrize(
    ("name", "temperature", "limited"),
    [
        *(("qwen3", 0.0, True), ("gpt2", 0.8, False)),
        *slow(*(("qwen3", 0.0, False), ("qwen3", 0.8, False), ("qwen3", 0.8, True))),
        *slow(*(("gpt2", 0.0, False), ("gpt2", 0.0, True), ("gpt2", 0.8, True))),
    ],
)
def test_any_guesser_leaves_the_answer_as_it_is(name, temperature, limited):
    model, draw = build(name), random.Random(1)
    for seed in range(6):
        prompt = [draw.randrange(23) for _ in range(draw.randint(1, 30))]
        config = SamplingConfig(
            temperature=temperature, max_tokens=draw.randint(1, 25), seed=seed, top_k=12
        )
        limits = [Limit() if limited else None for _ in range(6)]
        plain = list(decode(model, [prompt], config, STOPS, limits[:1]))
        answer = prompt + [step.id for step in plain]
        drafters = [
            PromptLookup(),
            ModelDrafter(build(name, seed=3)),
            ModelDrafter(model),
            Guesser(answer, 1.0, seed),
            Guesser(answer, 0.5, seed),
        ]
        for drafter, limit in zip(drafters, limits[1:], strict=True):
            drafted = decode_drafted(model, prompt, config, STOPS, drafter, limit)
            assert list(drafted) == plain, type(drafter).__name__


def test_right_guesses_save_passes_and_wrong_ones_become_few():
    model, passes = build("qwen3"), []
    config = SamplingConfig(temperature=0, max_tokens=30)
    answer = [1, 2] + [step.id for step in decode(model, [[1, 2]], config, frozenset())]

    class Counting:
        vocab = 23

        def sequences(self, rows, capacity):
            found = model.sequences(rows, capacity)
            check = found.check

            def counted(row, ids):
                passes.append(len(ids))
                return check(row, ids)

            found.check = counted
            return found

    def tokens(guesser):
        passes.clear()
        return [s.id for s in decode_drafted(Counting(), [1, 2], config, frozenset(), guesser)]

    class Sure(Guesser):
        def propose(self, ids, most):
            return self._answer[len(ids) : len(ids) + most]

    class Wrong(Sure):
        def propose(self, ids, most):
            return [(i + 1) % 23 for i in super().propose(ids, most)]

    assert tokens(Sure(answer, 1, 0)) == answer[2:]
    assert len(passes) <= 30 / LONGEST + 3 and max(passes) == LONGEST + 1
    assert tokens(Wrong(answer, 1, 0)) == answer[2:]
    assert max(passes[1:]) == 2  # one guess at a time after the first failure


def test_a_lookup_finds_the_latest_place_and_forgets_another_conversation():
    lookup = PromptLookup()
    assert lookup.propose([1, 2, 3, 4, 1, 2, 3], 2) == [4, 1]
    assert lookup.propose([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 9) == [5, 1, 2, 3]
    assert lookup.propose([9, 2, 3], 4) == []
    assert lookup.propose([2, 3, 8, 2, 3], 1) == [8]  # two tokens do where three are nowhere


def test_a_model_drafter_whose_context_is_full_guesses_nothing():
    drafter = ModelDrafter(build("qwen3"))
    assert len(drafter.propose(list(range(20)), 5)) == 5
    assert len(drafter.propose([1] * 46, 5)) == 2
    assert drafter.propose([1] * 48, 5) == []


@pytest.mark.parametrize("name", ["lstm", "mamba2"])
def test_a_recurrent_model_is_refused(name):
    model = build(name)
    with pytest.raises(HornbookError, match="recurrent state"):
        ModelDrafter(model)
    config = SamplingConfig(max_tokens=3)
    with pytest.raises(HornbookError, match="recurrent state"):
        next(decode_drafted(model, [1], config, STOPS, PromptLookup()))
