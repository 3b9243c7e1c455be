"""Muon's updates are near-orthogonal, and every parameter is moved by exactly one rule."""

import pytest
import torch

from hornbook.models.presets import PRESETS
from hornbook.training.muon import Muon, orthogonalise
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from tests.tiny import decoder_sizes

SIZES = decoder_sizes(vocab=40, context=8)


@pytest.mark.parametrize("shape", [(32, 32), (16, 48), (48, 16), (1, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_come_near_one(shape, dtype):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices, dtype))
    assert float(values.max()) < 1.2
    # A random square matrix has singular values near zero, which five steps cannot lift fully.
    assert float(values.median()) > 0.8


def test_scale_does_not_matter_and_directions_are_kept():
    matrix = torch.randn(1, 8, 20, generator=torch.Generator().manual_seed(0))
    small = orthogonalise(matrix * 1e-4, torch.float32)
    large = orthogonalise(matrix * 1e4, torch.float32)
    torch.testing.assert_close(small, large, rtol=0.02, atol=0.02)
    u, _, v = torch.linalg.svd(matrix[0], full_matrices=False)
    assert float((large[0] - u @ v).abs().max()) < 0.15


def test_zero_gradient_moves_nothing():
    weight = torch.nn.Parameter(torch.ones(4, 4))
    weight.grad = torch.zeros(4, 4)
    Muon([weight], 0.1, 0.95, 0.0, torch.float32).step()
    assert bool((weight == 1).all())


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_parameter_has_one_rule(preset):
    model = PRESETS[preset](SIZES).build()
    optimiser = Optimiser(model, OptimiserConfig(), torch.float32)
    owned = [w for rule in optimiser._rules for g in rule.param_groups for w in g["params"]]
    assert len(owned) == len({id(w) for w in owned}) == len(list(model.parameters()))


def test_state_goes_by_name():
    def moved(optimiser, model, steps):
        for step in range(steps):
            for i, weight in enumerate(model.parameters()):
                generator = torch.Generator().manual_seed(100 * step + i)
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimiser.step(1.0)

    straight = PRESETS["qwen3"](SIZES).build()
    first = Optimiser(straight, OptimiserConfig(), torch.float32)
    moved(first, straight, 2)
    other = PRESETS["qwen3"](SIZES).build()
    other.load_state_dict(straight.state_dict())
    second = Optimiser(other, OptimiserConfig(), torch.float32)
    second.load_state({key: value.clone() for key, value in first.state().items()})
    moved(first, straight, 1)
    moved(second, other, 1)
    for ours, theirs in zip(straight.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)
