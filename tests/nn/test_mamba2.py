"""The chunked form of Mamba-2's recurrence against the recurrence itself, token by token."""

import pytest
import torch
from torch import Tensor

from hornbook.nn.contract import Context, Mask
from hornbook.nn.mamba2 import Mamba2Config, scan

ROWS, TIME, HEADS, HEAD, GROUPS, STATE = 2, 37, 4, 3, 2, 5


def inputs(strength: float = 1.0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(ROWS, TIME, HEADS, HEAD, generator=generator)
    decay = -torch.rand(ROWS, TIME, HEADS, generator=generator) * strength
    write, read = torch.randn(2, ROWS, TIME, GROUPS, STATE, generator=generator)
    return value, decay, write, read


def one_by_one(value, decay, write, read, start, segments) -> tuple[Tensor, Tensor]:
    """The definition: decay, write, read."""
    write, read = (t.repeat_interleave(HEADS // GROUPS, dim=2) for t in (write, read))
    state = value.new_zeros(ROWS, HEADS, HEAD, STATE) if start is None else start
    outputs = []
    for t in range(TIME):
        if segments is not None and t > 0:
            state = state * (segments[:, t] == segments[:, t - 1])[:, None, None, None]
        state = state * decay[:, t].exp()[..., None, None]
        state = state + value[:, t, ..., None] * write[:, t, :, None]
        outputs.append((state @ read[:, t, ..., None])[..., 0])
    return torch.stack(outputs, 1), state


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 5, 8, 37, 64])
@pytest.mark.parametrize("case", ["plain", "start", "segments"])
def test_any_chunk_gives_what_the_definition_gives(chunk, case):
    start = segments = None
    if case == "start":
        start = torch.randn(ROWS, HEADS, HEAD, STATE, generator=torch.Generator().manual_seed(1))
    if case == "segments":
        borders = torch.tensor([[3, 8, 9, 30], [5, 20, 21, 22]])
        segments = (torch.arange(TIME)[None, :, None] >= borders[:, None]).sum(-1)
    y, end = scan(*inputs(), start, segments, chunk)
    expected, last = one_by_one(*inputs(), start, segments)
    same(y, expected)
    same(end, last)


@pytest.mark.parametrize("strength", [0.0, 1e-4, 50.0, 1e4])
def test_no_decay_overflows_forward_or_backward(strength):
    """exp of a later token's decay against an earlier one's would, if it were ever taken."""
    made = [t.requires_grad_(True) for t in inputs(strength)]
    y, _ = scan(*made, None, None, 16)
    y.sum().backward()
    same(y, one_by_one(*inputs(strength), None, None)[0])
    assert all(torch.isfinite(t.grad).all() for t in made)


def test_short_products_keep_the_state_exact_enough():
    """Under autocast outputs are short, and stay within bfloat16's three digits of the truth."""
    layer = Mamba2Config(heads=4, head=8, state=8, chunk=4).build(16)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 200, 16, generator=torch.Generator().manual_seed(1))
    ctx = Context(torch.arange(200)[None], Mask(causal=True))
    with torch.autocast("cpu", torch.bfloat16):
        short = layer(x, ctx)
    long = layer(x, ctx)
    assert (short - long).abs().max() < 0.03 * long.abs().max()
    assert (short - long)[:, 150:].std() < 2 * (short - long)[:, :50].std()
