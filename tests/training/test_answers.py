"""What tuning learns from does not depend on how samples are put together, and only from answers.

Loss and gradients are compared relative to the largest gradient; sums in another order differ by
less than 1e-6 of it, a target too many or a sample seen through by far more.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook.adapt.method import Method
from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import Example, PackedConversations, stack
from hornbook.batches.preferences import PreferencePair, PreferencePairs
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.presets import PRESETS
from hornbook.nn.contract import Context, Mask
from hornbook.training.loop import LoopConfig, gradient, train
from hornbook.training.objective import answer_token, next_token
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.preference import Reference, answer_log_probabilities, judge, prefer
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState
from tests.tiny import decoder_sizes, slow

BOUND, VOCAB, STOP = 1e-6, 60, 1
SIZES = decoder_sizes(vocab=VOCAB, width=32, context=96, head=16, hidden=48, tied=True)
DECODERS = ("qwen3", "gpt2", "mamba2", "lfm2", "qwen3.5", "lstm")
LENGTHS = (5, 11, 3, 17, 8, 2, 14, 9)


def fresh(name="qwen3", method="full"):
    """Weights that make all parts count, LoRA's too; float64 where the family computes in it."""
    model, generator = PRESETS[name](SIZES).build(), torch.Generator().manual_seed(3)
    Method.parse(method).apply(model, 0)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            weight.add_(torch.empty(weight.shape).normal_(0, 0.05, generator=generator))
    return model if name == "mamba2" else model.double()


def samples(lengths=LENGTHS, seed=0):
    """Conversations of several lengths, the second half of each learned."""
    random = np.random.default_rng(seed)
    return [Example(random.integers(2, VOCAB, n + 1), np.arange(n + 1) > n // 2) for n in lengths]


def loop(micro_rows):
    return LoopConfig(
        steps=1, micro_rows=micro_rows, schedule=ScheduleConfig(), device="cpu", dtype="float32"
    )


def gradients(model, objective, batch, micro_rows):
    """The mean loss, and the mean gradient of everything that moves."""
    model.train()
    model.zero_grad()
    total, count = gradient(model, objective, batch, loop(micro_rows))
    return total / count, {
        name: weight.grad / count
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def agree(one, other):
    assert abs(one[0] - other[0]) < BOUND * abs(one[0])
    scale = max(float(g.abs().max()) for g in one[1].values())
    for name, g in one[1].items():
        assert (g - other[1][name]).abs().max() < BOUND * scale, name


METHODS = ("full", "last:1", "lora:4")
WAYS = [(name, method) for name in DECODERS for method in METHODS if name != "lstm"]
USUAL = [way for way in WAYS if way[1] == "full" or way[0] == "qwen3"]
"""Every family, and one of them by every method."""


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *USUAL,
        ("lstm", "full"),
        *slow(("lstm", "last:1"), *(way for way in WAYS if way not in USUAL)),
    ],
)
def test_loss_and_gradients_do_not_depend_on_the_batch(name, method):
    model, found = fresh(name, method), samples()
    longest = max(LENGTHS)
    batch = stack([[example] for example in found], longest, padding=0)
    whole = gradients(model, answer_token, batch, len(found))
    for micro_rows in (4, 3, 1):
        agree(whole, gradients(model, answer_token, batch, micro_rows))
    packed = PackedConversations(found, 40, 2, seed=0, padding=0).batch(0)
    assert int((packed.targets != IGNORE).sum()) == int((batch.targets != IGNORE).sum())
    agree(whole, gradients(model, answer_token, packed, 2))
    agree(whole, gradients(model, answer_token, packed, 1))
    # Each sample alone, without padding, is the sum over all of them.
    model.zero_grad()
    alone = [gradient(model, answer_token, stack([[e]], len(e.ids) - 1, 0), loop(1)) for e in found]
    count = sum(n for _, n in alone)
    summed = {n: w.grad / count for n, w in model.named_parameters() if w.requires_grad}
    agree(whole, (sum(total for total, _ in alone) / count, summed))


def test_only_trained_places_go_through_the_head():
    model = fresh()
    batch = stack([[example] for example in samples()], max(LENGTHS), padding=0)
    agree(gradients(model, answer_token, batch, 8), gradients(model, next_token, batch, 8))


@pytest.mark.parametrize("name", DECODERS)
def test_no_gradient_from_one_packed_sample_to_another(name):
    """Exactly zero, on the way forward and back."""
    model = fresh(name)
    first, second, third = samples((7, 9, 6))
    silent = [Example(e.ids, np.zeros(len(e.ids), bool)) for e in (first, third)]
    batch = stack([[silent[0], second, silent[1]]], 24, padding=0)
    x = model.embedding(batch.tokens, batch.pos).detach().requires_grad_(True)
    ctx = Context(batch.pos, Mask(causal=True, segments=batch.segments))
    logits = model.head(model.stack(x, ctx))
    trained = batch.targets != IGNORE
    F.cross_entropy(logits[trained], batch.targets[trained], reduction="sum").backward()
    own = slice(7, 16)
    assert x.grad[0, own].abs().max() > 0
    outside = torch.ones(24, dtype=torch.bool)
    outside[own] = False
    assert torch.equal(x.grad[0, outside], torch.zeros_like(x.grad[0, outside]))


@pytest.mark.parametrize("method", ["lora:16", *slow("full")])
def test_after_overfitting_eight_samples_every_answer_ends_by_itself(method):
    random = np.random.default_rng(1)
    prompts = [random.integers(2, VOCAB, n) for n in (3, 5, 4, 6, 3, 5, 7, 4)]
    answers = [random.integers(2, VOCAB, n) for n in (4, 2, 6, 3, 5, 1, 4, 7)]
    found = [
        Example(np.concatenate([p, a, [STOP]]), np.arange(len(p) + len(a) + 1) >= len(p))
        for p, a in zip(prompts, answers, strict=True)
    ]
    model = fresh(method=method)
    rates = dict.fromkeys(("matrix_rate", "embedding_rate", "head_rate", "scalar_rate"), 0.01)
    optimiser = Optimiser(model, OptimiserConfig(matrix_rule="adamw", **rates), torch.float32)
    config = loop(4).model_copy(update={"steps": 120})
    packed = PackedConversations(found, 24, 4, seed=0, padding=0)
    state = TrainState(model, optimiser)
    train(state, answer_token, packed, config)
    model.eval()
    for prompt, answer in zip(prompts, answers, strict=True):
        greedy = SamplingConfig(temperature=0, max_tokens=30)
        steps = list(decode(model, [prompt.tolist()], greedy, frozenset({STOP})))
        assert [step.id for step in steps] == [*answer, STOP]
        assert steps[-1].finished == "stop"


def pairs():
    chosen, rejected = samples(seed=1), samples((9, 4, 12, 5, 3, 10, 2, 7), seed=2)
    return [PreferencePair(*both) for both in zip(chosen, rejected, strict=True)]


@pytest.mark.parametrize("method", ["full", "lora:4"])
def test_preferences_do_not_depend_on_the_batch_either(method):
    model = fresh(method=method)
    reference = Reference(model, 0, "cpu", "float32")
    side = PreferencePairs(pairs(), lambda pair: reference(pair) - 1.0, 8, seed=0, padding=0)
    batch = side.batch(0)
    whole = gradients(model, prefer(0.1), batch, 8)
    for micro_rows in (4, 3, 1):
        agree(whole, gradients(model, prefer(0.1), batch, micro_rows))


def test_preference_loss_is_that_of_the_paper():
    """Eq. 7 of Rafailov et al. 2023, written out for one pair."""
    model, (pair, *_) = fresh().float(), pairs()
    reference = torch.tensor([-20.0, -15.0])
    batch = PreferencePairs([pair], lambda pair: reference, 1, seed=0, padding=0).batch(0)

    def log_probability(example):
        logs = model(torch.from_numpy(example.ids)[None])[0].log_softmax(-1)
        return sum(
            logs[at - 1, token] for at, token in enumerate(example.ids) if example.trained[at]
        )

    gains = [log_probability(e) - r for e, r in zip(pair, reference, strict=True)]
    wanted = -torch.log(torch.sigmoid(0.3 * (gains[0] - gains[1])))
    loss, count = prefer(0.3)(model, batch)
    assert count == 1
    assert torch.allclose(loss, wanted, rtol=1e-5)
    sums = answer_log_probabilities(model, batch.chosen)
    assert torch.allclose(sums[0], gains[0] + reference[0], rtol=1e-5)


@pytest.mark.parametrize("method", ["full", "last:1", "lora:4"])
def test_a_reference_stays_as_it_was(method):
    model = fresh(method=method)
    reference = Reference(model, 0, "cpu", "float32")
    before = [reference(pair) for pair in pairs()]
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    assert all(torch.equal(reference(p), b) for p, b in zip(pairs(), before, strict=True))
    now = Reference(model, 0, "cpu", "float32")
    assert not any(torch.equal(now(p), b) for p, b in zip(pairs(), before, strict=True))


def test_a_reference_is_asked_once_and_when_needed():
    asked = []

    def reference(pair):
        asked.append(pair)
        return torch.tensor([float(len(asked)), 0.0])

    side = PreferencePairs(pairs(), reference, 3, seed=0, padding=0)
    assert not asked
    first = side.batch(0).reference
    assert len(asked) == 3
    assert torch.equal(side.batch(0).reference, first)
    side.judge()
    assert len(asked) == len(pairs())


def test_preferences_are_learned():
    model = fresh()
    side = PreferencePairs(pairs(), Reference(model, 0, "cpu", "float32"), 4, seed=0, padding=0)
    before = judge(model, side, 3, 0.1, "cpu", "float32")
    assert np.allclose(before.losses, np.log(2), atol=1e-4)
    rates = dict.fromkeys(("matrix_rate", "embedding_rate", "head_rate", "scalar_rate"), 0.002)
    optimiser = Optimiser(model, OptimiserConfig(matrix_rule="adamw", **rates), torch.float32)
    config = loop(2).model_copy(update={"steps": 20})
    train(TrainState(model, optimiser), prefer(0.1), side, config)
    after = judge(model, side, 3, 0.1, "cpu", "float32")
    assert all(after.right)
    assert np.mean(after.losses) < 0.5 * np.log(2)
