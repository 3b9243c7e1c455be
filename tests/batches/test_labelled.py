"""Texts and images with labels: all of them once an epoch, changed by (seed, step) only."""

import numpy as np
import pytest
import torch

from hornbook.batches.images import Augment, ImageBatches, changed, pixel_statistics
from hornbook.batches.labelled import LabelledTexts, LengthBuckets, Shuffled


@pytest.mark.parametrize(("count", "rows"), [(10, 3), (7, 7), (5, 12)])
def test_everything_once_an_epoch_across_batches(count, rows):
    order = Shuffled(count, rows, seed=1)
    seen = np.concatenate([order.indices(step) for step in range(3 * count)])
    for epoch in range(len(seen) // count):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))
    again = Shuffled(count, rows, seed=1)
    assert (again.indices(2) == order.indices(2)).all()


def test_texts_are_filled_up_and_marked():
    sequences = [np.arange(1, n + 1) for n in (3, 1, 5)]
    texts = LabelledTexts(sequences, np.array([0, 1, 2]), rows=2, seed=0, padding=9)
    (first, second) = list(texts.in_order())
    assert first.inputs.tolist() == [[1, 2, 3], [1, 9, 9]]
    assert first.valid.tolist() == [[True] * 3, [True, False, False]]
    assert second.labels.tolist() == [2]
    batch = texts.batch(4)
    assert [len(part.labels) for part in batch.split(1)] == [1, 1]
    for row, label in zip(batch.inputs, batch.labels, strict=True):
        assert int((row != 9).sum()) == len(sequences[label])


def images(count=20, channels=2):
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (count, 6, 5, channels), np.uint8), np.arange(count) % 3


def test_images_are_normalised():
    pixels, labels = images()
    mean, std = pixel_statistics(pixels)
    assert mean == pytest.approx((pixels / 255).mean((0, 1, 2)))
    assert std == pytest.approx((pixels / 255).std((0, 1, 2)))
    batches = ImageBatches(pixels, labels, 8, 0, mean, std)
    whole = torch.cat([batch.inputs for batch in batches.in_order()])
    assert whole.shape == (20, 2, 6, 5)
    torch.testing.assert_close(whole.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.std((0, 2, 3)), torch.ones(2), atol=1e-2, rtol=0)


def test_changes_are_shifts_and_flips_and_come_again():
    pixels, labels = images()
    for image, new in zip(
        pixels, changed(pixels, Augment(shift=1), np.random.default_rng(0)), strict=True
    ):
        frames = [np.pad(view, ((1, 1), (1, 1), (0, 0))) for view in (image, image[:, ::-1])]
        possible = [f[y : y + 6, x : x + 5] for f in frames for y in range(3) for x in range(3)]
        assert any((new == candidate).all() for candidate in possible)
    same = changed(pixels, Augment(shift=0, flip=False), np.random.default_rng(0))
    assert (same == pixels).all()
    one, two = (ImageBatches(pixels, labels, 8, 0, [0, 0], [1, 1], Augment()) for _ in range(2))
    assert torch.equal(one.batch(5).inputs, two.batch(5).inputs)
    assert not torch.equal(one.batch(5).inputs, one.batch(6).inputs)


@pytest.mark.parametrize(("count", "rows"), [(10, 3), (7, 7), (5, 12), (200, 4)])
def test_alike_lengths_share_a_batch_and_all_come_once_an_epoch(count, rows):
    lengths = np.random.default_rng(0).integers(1, 100, count)
    order = LengthBuckets(lengths, rows, seed=1)
    assert order.batches == -(-count // rows)
    for epoch in range(3):
        parts = [order.indices(epoch * order.batches + i) for i in range(order.batches)]
        assert sorted(np.concatenate(parts)) == list(range(count))
    assert (LengthBuckets(lengths, rows, seed=1).indices(2) == order.indices(2)).all()
    if count > 100:
        spread = np.mean([np.ptp(lengths[part]) for part in parts])
        mixed = Shuffled(count, rows, seed=1)
        assert spread < 0.3 * np.mean([np.ptp(lengths[mixed.indices(i)]) for i in range(50)])


def test_long_texts_leave_room_for_fewer_rows():
    sequences = [np.arange(1, n + 1) for n in (3, 8, 2, 8)]
    texts = LabelledTexts(sequences, np.arange(4), 2, 0, padding=0, alike=True, at_once=9)
    batches = sorted((texts.batch(step) for step in range(2)), key=lambda b: b.inputs.shape[1])
    assert [[len(part.labels) for part in b.split(2)] for b in batches] == [[2], [1, 1]]
    assert texts.steps_per_epoch == 2
