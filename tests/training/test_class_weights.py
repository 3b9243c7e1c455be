"""Class weights, temperatures and kept weights: what classifiers are trained with besides."""

import contextlib
import math

import numpy as np
import pytest
import torch

from hornbook.batches.labelled import LabelledBatch, LabelledTexts
from hornbook.core.claims import Claim
from hornbook.models.classifier import ClassifierNetwork, on_encoder
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.training.calibrate import fit_temperature, mean_loss
from hornbook.training.class_weights import balanced, weighted_class_label
from hornbook.training.keep_best import KeepBest, NothingBetter
from hornbook.training.loop import LoopConfig, gradient, train
from hornbook.training.objective import class_label
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState


def model():
    sizes = BertSizes(vocab=30, width=16, depth=1, context=12, heads=2, hidden=16)
    found = on_encoder(bert(sizes), ("a", "b", "c")).build(0)
    assert isinstance(found, ClassifierNetwork)
    with torch.no_grad():
        found.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    return found


def examples(count=12):
    draw = np.random.default_rng(0)
    sequences = [draw.integers(1, 30, int(draw.integers(1, 12))) for _ in range(count)]
    return sequences, draw.choice(3, count, p=[0.7, 0.2, 0.1])


def loop(steps=1, rows=100):
    return LoopConfig(
        steps=steps, micro_rows=rows, schedule=ScheduleConfig(), device="cpu", dtype="float32"
    )


def gradients(objective, batch, rows):
    trained = model()
    total, count = gradient(trained, objective, batch, loop(rows=rows))
    return total, count, [w.grad for w in trained.parameters() if w.grad is not None]


def test_balanced_weights():
    weights = balanced(np.array([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([4 / 9, 4 / 3, 0.0])


@pytest.mark.parametrize("weighted", [False, True])
def test_one_batch_two_or_single_rows_give_one_gradient(weighted):
    """Ragged lengths and padding besides."""
    sequences, labels = examples()
    objective = weighted_class_label(balanced(labels, 3)) if weighted else class_label
    batch = next(LabelledTexts(sequences, labels, 12, 0, 0).in_order())
    whole, count, wanted = gradients(objective, batch, 12)
    limited, largest = batch._replace(most=5), max(float(w.abs().max()) for w in wanted)
    for part, rows in ((batch, 6), (batch, 1), (limited, 12)):
        total, again, found = gradients(objective, part, rows)
        assert again == count == 12 and total == pytest.approx(whole, rel=1e-6)
        for one, other in zip(found, wanted, strict=True):
            assert (one - other).abs().max() <= 1e-6 * largest
    narrow = [
        gradients(objective, next(LabelledTexts([s], labels[i : i + 1], 1, 0, 0).in_order()), 1)[0]
        for i, s in enumerate(sequences)
    ]
    assert sum(narrow) == pytest.approx(whole, rel=1e-5)


def test_a_weight_is_as_many_copies():
    sequences, labels = examples()
    batch = next(LabelledTexts(sequences, labels, 12, 0, 0).in_order())
    weights = torch.tensor([1.0, 2.0, 3.0])
    copies = torch.repeat_interleave(torch.arange(12), weights[batch.labels].long())
    several = LabelledBatch(batch.inputs[copies], batch.labels[copies], batch.valid[copies])
    one, other = (
        gradients(weighted_class_label(weights), batch, 12),
        gradients(class_label, several, len(copies)),
    )
    assert one[0] == pytest.approx(other[0], rel=1e-5)


def drawn(logits, draw):
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.array([draw.choice(len(row), p=row) for row in shares])


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_was_there_is_found(temperature):
    draw = np.random.default_rng(0)
    true = draw.normal(size=(4000, 3)) * 2
    labels = drawn(true, draw)
    found = fit_temperature(true * temperature, labels)
    assert found == pytest.approx(temperature, rel=0.06)
    around = [mean_loss(true * temperature, labels, found * f) for f in (0.9, 1.0, 1.1)]
    assert around[1] < min(around[0], around[2])


def test_a_few_examples_that_are_all_right_leave_doubt():
    logits = np.array([[4.0, 0.0]] * 6 + [[0.0, 4.0]] * 6)
    labels = np.array([0] * 6 + [1] * 6)
    found = fit_temperature(logits, labels)
    sure = 1 / (1 + math.exp(-4.0 / found))
    assert sure == pytest.approx(13 / 14, abs=1e-3)
    assert fit_temperature(logits[:0], labels[:0]) == 1.0
    assert math.isfinite(fit_temperature(-logits, labels))


def state_of():
    trained = model()
    return TrainState(trained, Optimiser(trained, OptimiserConfig(), torch.float32))


def watched(folder, losses, wait, steps=10, every=3):
    """Train, evaluating now and then; returns the folder's keeper, and the step it ended at."""
    sequences, labels = examples()
    batches = LabelledTexts(sequences, labels, 4, 0, 0)
    state, given, heads = state_of(), iter(losses), {}
    best = KeepBest(folder, Claim("a part", repairs=True), wait)

    def evaluate(state):
        if state.step % every == 0 or state.step == steps:
            heads[state.step] = state.model.head.weight.detach().clone()
            best.offer(state, next(given))

    with contextlib.suppress(NothingBetter):
        train(state, class_label, batches, loop(steps), [best.check, evaluate])
    best.restore(state)
    assert torch.equal(state.model.head.weight, heads[best.step])
    return best, state.step


def test_the_best_is_kept_whenever_it_was(tmp_path):
    best, steps = watched(tmp_path / "best", [3.0, 1.0, 2.0, 1.0], wait=9)
    assert (best.step, best.measure, steps) == (6, 1.0, 10)
    again = KeepBest(tmp_path / "best", Claim("a part", repairs=True), 9)
    assert (again.step, again.measure) == (6, 1.0), "a resumed run knows it"


def test_no_better_ones_end_it(tmp_path):
    best, steps = watched(tmp_path / "best", [1.0, 2.0, 2.0, 2.0], wait=4, every=2)
    assert (best.step, steps) == (2, 7)
