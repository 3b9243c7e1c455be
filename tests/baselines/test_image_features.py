"""Features of images made by hand: what turns changes them, what brightens does not."""

import numpy as np

from hornbook.baselines.image_features import linear_guesses, oriented_gradients


def stripes(turned, seed=0):
    """(1, 28, 28, 1) with stripes of a random phase that lie or stand."""
    phase = np.random.default_rng(seed).uniform(0, 6)
    wave = np.sin(np.arange(28) * 0.7 + phase)[:, None] * 60 + 128
    picture = np.broadcast_to(wave, (28, 28))
    return (picture.T if turned else picture)[None, ..., None].astype(np.uint8)


def test_a_direction_is_told_and_brightness_does_not_matter():
    lying, standing = oriented_gradients(stripes(False)), oriented_gradients(stripes(True))
    assert lying.shape == standing.shape == (1, 6 * 6 * 4 * 9)
    assert np.abs(lying - standing).mean() > 0.05
    brighter = oriented_gradients(stripes(False) + np.uint8(30))
    np.testing.assert_allclose(brighter, lying, atol=1e-3)
    assert oriented_gradients(np.zeros((2, 8, 8, 3), np.uint8)).shape == (2, 3 * 3 * 4 * 9)


def test_blocks_are_of_length_one():
    blocks = oriented_gradients(stripes(False)).reshape(-1, 36)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), 1, atol=1e-3)


def test_a_linear_model_learns_from_them_what_pixels_do_not_show():
    draw = np.random.default_rng(1)
    labels = draw.integers(2, size=60)
    pixels = np.concatenate([stripes(label, seed) for seed, label in enumerate(labels)])
    found = linear_guesses(pixels[:40], labels[:40], pixels[40:])
    assert (found == labels[40:]).all()
    shuffled = linear_guesses(pixels[:40], draw.permutation(labels[:40]), pixels[40:])
    assert (shuffled == labels[40:]).mean() < 1
