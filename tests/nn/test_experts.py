"""A mixture of experts against its definition, and the loss that keeps its experts busy."""

import pytest
import torch

from hornbook.nn.contract import Context, Mask
from hornbook.nn.mixture import MixtureConfig, imbalance

WIDTH = 16


def made(config):
    layer = config.build(WIDTH)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    return layer


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def context(x, valid=None):
    return Context(torch.arange(x.shape[1])[None], Mask(causal=True, valid=valid))


@pytest.mark.parametrize("config", MixtureConfig.examples())
def test_it_is_the_sum_over_chosen_experts(config):
    layer, x = made(config).eval(), noise(2, 5, WIDTH)
    shares = (x @ layer.router.T).softmax(-1)
    kept = shares * (shares >= shares.sort(-1).values[..., -config.chosen, None])
    if config.normalised:
        kept = kept / kept.sum(-1, keepdim=True)
    each = torch.stack([expert(x, context(x)) for expert in layer.experts], -1)
    torch.testing.assert_close(layer(x, context(x)), (each * kept[:, :, None]).sum(-1))


def test_the_auxiliary_loss_is_that_of_transformers():
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

    logits = noise(40, 6) * 2
    shares = logits.softmax(-1)
    valid = torch.arange(40) % 3 > 0
    for mask in (None, valid):
        theirs = load_balancing_loss_func((logits,), 6, 2, mask)
        ours = imbalance(shares, shares.topk(2).indices, mask)
        torch.testing.assert_close(ours / (40 if mask is None else mask.sum()), theirs)


def test_the_auxiliary_loss_comes_with_the_gradient_in_training_alone():
    config = MixtureConfig(experts=4, chosen=2, hidden=8, balance=0.1)
    x, valid = noise(2, 6, WIDTH), torch.arange(6) < torch.tensor([[6], [4]])

    def gradient(training, added):
        layer, inputs = made(config).train(training), x.clone().requires_grad_(True)
        loss = layer(inputs, context(x, valid))[valid].sin().sum()
        if added:
            rows = inputs.flatten(0, 1)
            shares = (rows @ layer.router.T).softmax(-1)
            loss = loss + 0.1 * imbalance(shares, shares.topk(2).indices, valid.flatten())
        return torch.autograd.grad(loss, [inputs, layer.router])

    torch.testing.assert_close(gradient(True, False), gradient(False, True))
    (plain, _), (more, _) = gradient(False, False), gradient(True, False)
    assert (plain - more).abs().max() > 1e-3
    with torch.no_grad():
        layer = made(config)
        assert torch.equal(layer(x, context(x)), layer.eval()(x, context(x)))


def test_gradients_are_the_same_bits_again():
    """So many tokens that threads share the work."""
    config, x = MixtureConfig(experts=8, chosen=4, hidden=8), noise(4, 1024, WIDTH)
    weights, found = torch.logspace(-5, 3, 1024)[:, None], []
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    for _ in range(3):
        layer, inputs = made(config), x.clone().requires_grad_(True)
        (layer(inputs, context(x)).sin() * weights).sum().backward()
        found.append([inputs.grad, *(weight.grad for weight in layer.parameters())])
    torch.set_num_threads(threads)
    for again in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], again, strict=True))


def test_experts_that_nobody_chose_have_no_gradient_and_cost_nothing():
    layer = made(MixtureConfig(experts=4, chosen=1, hidden=8))
    with torch.no_grad():
        layer.router.zero_()
        layer.router[2] += 1
    x = noise(1, 6, WIDTH).abs()
    layer(x, context(x)).sum().backward()
    met = [expert.down.weight.grad is not None for expert in layer.experts]
    assert met == [False, False, True, False]


def test_what_a_token_meets_is_counted():
    config = MixtureConfig(experts=8, chosen=2, hidden=10)
    assert config.active(WIDTH) == 8 * WIDTH + 2 * 3 * WIDTH * 10
    assert config.parameters(WIDTH) == 8 * WIDTH + 8 * 3 * WIDTH * 10
