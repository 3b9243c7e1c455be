"""Layers computed again for their gradients: the same bits, and less that is kept."""

import copy

import pytest
import torch

from hornbook.batches.batch import Batch
from hornbook.models.presets import PRESETS
from hornbook.training.layers import layers_of, recompute_layers
from hornbook.training.objective import next_token
from tests.tiny import decoder_sizes, gradients, loud

TOKENS = torch.randint(50, (3, 17), generator=torch.Generator().manual_seed(0))
BATCH = Batch(TOKENS[:, :-1], TOKENS[:, 1:], torch.arange(16)[None])


def kept_bytes(model):
    """Of what is kept for the gradient."""
    seen = {}

    def keep(tensor):
        seen[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss, _ = next_token(model, BATCH)
    return sum(seen.values()), loss


@pytest.mark.parametrize("preset", ["qwen3", "mamba2"])
def test_gradients_are_the_same_bits(preset):
    model = loud(PRESETS[preset](decoder_sizes(depth=4)).build()).train().requires_grad_(True)
    again = copy.deepcopy(model)
    recompute_layers(again)
    copied = copy.deepcopy(again)  # computes with its own weights, not with those it is a copy of
    with torch.no_grad():
        for weight in again.parameters():
            weight.zero_()
    (whole, loss), (less, other) = kept_bytes(model), kept_bytes(copied)
    loss.backward()
    other.backward()
    assert torch.equal(loss, other) and less < whole / 2
    ours, theirs = gradients(copied), gradients(model)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert len(list(layers_of(model))) == len(model.stack.layers)
