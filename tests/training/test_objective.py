"""The objective equals plain cross-entropy in value and gradient, however the rows are cut."""

import pytest
import torch
import torch.nn.functional as F

from hornbook.batches.batch import IGNORE, Batch
from hornbook.models.presets import qwen3
from hornbook.training import objective
from hornbook.training.objective import next_token, token_losses
from hornbook.training.precision import product_type
from tests.tiny import decoder_sizes, gradients

VOCAB, TIME = 50, 12
SIZES = decoder_sizes(vocab=VOCAB, context=TIME, kv_heads=1)


@pytest.fixture(params=[None, 0.5], ids=["free", "capped"])
def model(request):
    """capped: so low that it bends the logits."""
    built = qwen3(SIZES).model_copy(update={"cap": request.param}).build(seed=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in built.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return built


def make_batch(rows=4, trained=0.7, segments=None):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(VOCAB, (rows, TIME), generator=generator)
    targets = torch.randint(VOCAB, (rows, TIME), generator=generator)
    targets[torch.rand(rows, TIME, generator=generator) > trained] = IGNORE
    return Batch(tokens, targets, torch.arange(TIME)[None], segments)


def plain_loss(model, batch):
    logits = model(batch.tokens).flatten(0, 1)
    return F.cross_entropy(logits, batch.targets.flatten(), ignore_index=IGNORE, reduction="sum")


@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
@pytest.mark.parametrize("trained", [1.0, 0.5, 0.0])
def test_equals_cross_entropy(model, monkeypatch, rows_at_once, trained):
    monkeypatch.setattr(objective, "_LOGITS_AT_ONCE", rows_at_once * VOCAB)
    batch = make_batch(trained=trained)
    loss, count = next_token(model, batch)
    assert count == int((batch.targets != IGNORE).sum())
    loss.backward()
    ours = gradients(model)
    expected = plain_loss(model, batch)
    expected.backward()
    theirs = gradients(model)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-5, atol=1e-5)


def test_short_floats_stay_close(model):
    batch = make_batch()
    with product_type("cpu", "bfloat16"):
        loss, _ = next_token(model, batch)
    loss.backward()
    short = gradients(model)
    plain_loss(model, batch).backward()
    for name, gradient in gradients(model).items():
        error = (short[name] - gradient).norm() / gradient.norm().clamp(min=1e-3)
        assert error < 0.1, name


def test_losses_of_single_tokens_add_up(model):
    batch = make_batch()
    losses = token_losses(model, batch)
    assert losses.shape == batch.tokens.shape
    assert bool((losses[batch.targets == IGNORE] == 0).all())
    torch.testing.assert_close(losses.sum(), plain_loss(model, batch), rtol=1e-5, atol=1e-4)


def test_no_gradient_crosses_segments(model):
    segments = torch.tensor([[0] * 5 + [1] * 7])
    batch = make_batch(rows=1, trained=1.0, segments=segments)
    targets = batch.targets.clone()
    targets[:, :5] = IGNORE  # only the second document is trained ...
    embedded = model.embedding(batch.tokens, batch.pos).detach().requires_grad_()
    model.embedding.forward = lambda tokens, pos: embedded
    next_token(model, batch._replace(targets=targets))[0].backward()
    assert bool((embedded.grad[:, :5] == 0).all())  # ... and nothing flows into the first
    assert bool((embedded.grad[:, 5:] != 0).any())


@pytest.mark.parametrize("micro_rows", [1, 3, 5])
def test_accumulation_changes_nothing_but_memory(model, micro_rows):
    batch = make_batch(rows=5, trained=0.4)
    next_token(model, batch)[0].backward()
    whole = gradients(model)
    for part in batch.split(micro_rows):
        next_token(model, part)[0].backward()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, whole[name], rtol=1e-5, atol=2e-6)
