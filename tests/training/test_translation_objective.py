"""The objective of translators equals plain smoothed cross-entropy; dropout follows the seed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook.batches.batch import IGNORE
from hornbook.batches.translation import EncodedPair, PairBatches, collate
from hornbook.models.translators import PairSizes, SideSizes, lstm_attention, transformer
from hornbook.training import objective as rows
from hornbook.training.loop import LoopConfig, train
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState
from hornbook.training.translation import next_target, target_losses

VOCAB, START, END = 40, 39, 0
SIDE = SideSizes(depth=1, heads=2, hidden=16)


def sizes(dropout=0.0):
    return PairSizes(
        vocab=VOCAB, width=16, context=16, encoder=SIDE, decoder=SIDE, start=START, dropout=dropout
    )


def pairs(count):
    draw = np.random.default_rng(0)
    lengths = draw.integers(1, 9, count)
    # A target is its source turned round.
    sources = [draw.integers(1, START, length) for length in lengths]
    return [EncodedPair(source, source[::-1].copy()) for source in sources]


@pytest.mark.parametrize("rows_at_once", [3, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_equals_smoothed_cross_entropy(monkeypatch, smoothing, rows_at_once):
    monkeypatch.setattr(rows, "_LOGITS_AT_ONCE", rows_at_once * VOCAB)
    model = transformer(sizes()).build(seed=2)
    with torch.no_grad():
        model.head.bias.normal_(generator=torch.Generator().manual_seed(0))
    batch = collate(pairs(7), START, END)

    def gradients(loss):
        model.zero_grad()
        loss.backward()
        return {name: weight.grad for name, weight in model.named_parameters()}

    loss, count = next_target(smoothing)(model, batch)
    ours = gradients(loss)
    features = model.features(batch.tokens, model.encode(batch.source, batch.source_valid))
    expected = F.cross_entropy(
        model.head(features).flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE,
        reduction="sum", label_smoothing=smoothing,
    )  # fmt: skip
    assert count == int((batch.targets != IGNORE).sum())
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-4)
    for name, gradient in gradients(expected).items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-4)


def test_the_plain_losses_are_not_smoothed():
    model, batch = lstm_attention(sizes()).build(seed=2), collate(pairs(5), START, END)
    losses = target_losses(model, batch)
    assert losses.shape == batch.targets.shape
    torch.testing.assert_close(losses.sum(), next_target(0.0)(model, batch)[0].detach())


def trained(seed, stops=(12,)):
    model = transformer(sizes(dropout=0.3)).build(seed=1)
    state = TrainState(model, Optimiser(model, OptimiserConfig(), torch.float32))
    batches = PairBatches(pairs(60), 200, 0, START, END)
    for steps in stops:
        torch.rand(5)  # what others draw in between changes nothing
        loop = LoopConfig(
            steps=steps, micro_rows=4, schedule=ScheduleConfig(warmup=0, cooldown=0),
            device="cpu", dtype="float32", seed=seed,
        )  # fmt: skip
        train(state, next_target(0.1), batches, loop)
    return model.head.weight.detach()


def test_dropout_depends_on_seed_and_step_alone():
    straight = trained(seed=5)
    assert torch.equal(trained(seed=5, stops=(5, 12)), straight)
    assert not torch.equal(trained(seed=6), straight)
