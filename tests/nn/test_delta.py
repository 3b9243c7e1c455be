"""The chunked form of the gated delta rule against the rule itself, token by token."""

import pytest
import torch
from torch import Tensor

from hornbook.nn.contract import Context, Mask
from hornbook.nn.delta import GatedDeltaConfig, delta_rule

ROWS, TIME, HEADS, HEAD, GROUPS, KEY = 2, 37, 4, 3, 2, 5
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def inputs(strength: float = 1.0, alike: bool = False) -> Inputs:
    """alike: all keys are one, as of a token that is repeated."""
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, ROWS, TIME, GROUPS, KEY, generator=generator)
    if alike:
        key = key[:, :1].expand_as(key)
    value = torch.randn(ROWS, TIME, HEADS, HEAD, generator=generator)
    decay = -torch.rand(ROWS, TIME, HEADS, generator=generator) * strength
    rate = torch.rand(ROWS, TIME, HEADS, generator=generator)
    return query, key / key.norm(dim=-1, keepdim=True), value, decay, rate


def one_by_one(
    of: Inputs, start: Tensor | None, segments: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The definition: decay, look up, write the difference, read."""
    query, key, value, decay, rate = of
    query, key = (t.repeat_interleave(HEADS // GROUPS, dim=2) for t in (query, key))
    state = value.new_zeros(ROWS, HEADS, HEAD, KEY) if start is None else start
    outputs = []
    for t in range(TIME):
        if segments is not None and t > 0:
            state = state * (segments[:, t] == segments[:, t - 1])[:, None, None, None]
        k, beta = key[:, t, :, None], rate[:, t, :, None, None]
        forgotten = torch.eye(KEY) - beta * k.mT @ k
        state = decay[:, t].exp()[..., None, None] * state @ forgotten
        state = state + beta * value[:, t, ..., None] * k
        outputs.append((state @ query[:, t, ..., None])[..., 0])
    return torch.stack(outputs, 1), state


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 5, 8, 37, 64])
@pytest.mark.parametrize("case", ["plain", "start", "segments"])
def test_any_chunk_gives_what_the_definition_gives(chunk, case):
    start = segments = None
    if case == "start":
        start = torch.randn(ROWS, HEADS, HEAD, KEY, generator=torch.Generator().manual_seed(1))
    if case == "segments":
        borders = torch.tensor([[3, 8, 9, 30], [5, 20, 21, 22]])
        segments = (torch.arange(TIME)[None, :, None] >= borders[:, None]).sum(-1)
    y, end = delta_rule(*inputs(), start=start, segments=segments, chunk=chunk)
    expected, last = one_by_one(inputs(), start, segments)
    same(y, expected)
    same(end, last)


@pytest.mark.parametrize("strength", [0.0, 1e-4, 50.0, 1e4])
@pytest.mark.parametrize("alike", [False, True])
def test_no_decay_and_no_repetition_overflows_forward_or_backward(strength, alike):
    """exp of a later token's decay against an earlier one's would, if it were ever taken; and so
    would powers of the overlap of keys that are one, with which the system could be solved."""
    made = [t.requires_grad_(True) for t in inputs(strength, alike)]
    y, _ = delta_rule(*made, start=None, segments=None, chunk=37)
    y.sum().backward()
    same(y, one_by_one(inputs(strength, alike), None)[0])
    assert all(torch.isfinite(t.grad).all() for t in made)


def test_gradients_are_those_of_the_definition():
    made = [t.double().requires_grad_(True) for t in inputs()]
    y, end = delta_rule(*made, start=None, segments=None, chunk=8)
    (y.sin().sum() + end.square().sum()).backward()
    with torch.random.fork_rng():
        torch.set_default_dtype(torch.float64)
        try:
            again = [t.detach().requires_grad_(True) for t in made]
            y, end = one_by_one(tuple(again), None)
            (y.sin().sum() + end.square().sum()).backward()
        finally:
            torch.set_default_dtype(torch.float32)
    for one, other in zip(made, again, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_short_products_keep_the_state_exact_enough():
    """Under autocast outputs are short, and stay within bfloat16's three digits of the truth."""
    layer = GatedDeltaConfig(heads=4, head=8, key_heads=2, key=8, chunk=4).build(16)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 200, 16, generator=torch.Generator().manual_seed(1))
    ctx = Context(torch.arange(200)[None], Mask(causal=True))
    with torch.autocast("cpu", torch.bfloat16):
        short = layer(x, ctx)
    long = layer(x, ctx)
    assert (short - long).std() < 0.03 * long.std()
    late, early = ((short - long)[:, part].abs().median() for part in (slice(150, 200), slice(50)))
    assert late < 2 * early
