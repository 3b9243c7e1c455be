"""Pooling sees real vectors only; patches are the squares of the image in reading order."""

import pytest
import torch

from hornbook.nn.patches import PatchesConfig
from hornbook.nn.pooling import DenseFirstConfig, FirstConfig, LastConfig, MeanConfig

PARTS = [FirstConfig(), DenseFirstConfig(), LastConfig(), MeanConfig()]


@pytest.mark.parametrize("config", PARTS, ids=lambda config: config.kind)
def test_padding_does_not_count(config):
    part = config.build(8)
    assert config.parameters(8) == sum(p.numel() for p in part.parameters())
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    valid = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    alone = torch.cat([part(x[:1, :3], None), part(x[1:], None)])
    torch.testing.assert_close(part(x, valid), alone)


def test_what_is_taken():
    x, valid = torch.arange(12.0).view(1, 4, 3), torch.tensor([[True, True, True, False]])
    assert FirstConfig().build(3)(x, valid).tolist() == [[0, 1, 2]]
    assert LastConfig().build(3)(x, valid).tolist() == [[6, 7, 8]]
    assert MeanConfig().build(3)(x, valid).tolist() == [[3, 4, 5]]


def test_patches_are_squares_in_reading_order():
    config = PatchesConfig(size=6, patch=2, channels=3)
    part = config.build(4)
    assert config.parameters(4) == sum(p.numel() for p in part.parameters())
    with torch.no_grad():
        part.position.zero_()
        part.first.fill_(7)
    image = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    x = part(image)
    assert x.shape == (1, config.tokens, 4) and bool((x[0, 0] == 7).all())
    square = image[0, :, 2:4, 4:6]  # second row, third column
    expected = (part.projection.weight * square).sum((1, 2, 3)) + part.projection.bias
    torch.testing.assert_close(x[0, 1 + 3 + 2], expected)


def test_a_patch_must_divide_the_image():
    with pytest.raises(ValueError, match="patch = 4 does not divide size = 6"):
        PatchesConfig(size=6, patch=4, channels=1)
