"""Norms, rotary positions and gates by our kernels: torch's in float64, gradients too."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.norms import Turned, turn, turn_back
from hornbook.nn import norm_kernel
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.contract import Context, Mask
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import GatedMLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from hornbook.nn.rotary import rotate
from tests.tiny import need_kernels

ROUNDING = 0.004
EPSILON = 1e-3


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    return native.library()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(ours, theirs):
    assert (ours.double() - theirs.double()).norm() <= ROUNDING * theirs.norm() + 1e-9


def angles(rows, time, pairs):
    turn = noise(rows, 1, time, pairs, seed=5)
    return turn.cos(), turn.sin()


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows", [None, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("head", "pairs"), [(16, 0), (32, 16), (64, 16)])
def test_is_torchs(head, pairs, dtype, rows, weighted):
    if (rows is None) != (pairs == 0):
        pytest.skip("pairs turn by angles")
    x = noise(2, 70, 3, head).to(dtype).transpose(1, 2).requires_grad_()
    weight = noise(head, seed=1).requires_grad_() if weighted else None
    turning = angles(rows, 70, pairs) if rows else None
    dy = noise(2, 3, 70, head, seed=2).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert norm_kernel.turns(x, pairs)
        y = norm_kernel.normed_and_turned(x, weight, EPSILON, turning)
    y.backward(dy)
    wide = [None if t is None else t.detach().double().requires_grad_() for t in (x, weight)]
    expected = wide[0]
    if weighted:
        expected = F.rms_norm(wide[0], (head,), wide[1], EPSILON)
    if turning:
        expected = rotate(expected, *(t.double() for t in turning))
    expected.backward(dy.double())
    close(y.detach(), expected.detach())
    close(x.grad, wide[0].grad)
    assert x.grad.dtype == dtype
    if weighted:
        close(weight.grad, wide[1].grad)


def test_a_gate_is_torchs():
    gates, ups, dy = (noise(5, 7, 48, seed=i).bfloat16() for i in range(3))
    mine = [x.clone().requires_grad_() for x in (gates, ups)]
    assert norm_kernel.gates_fit(*mine)
    y = norm_kernel.gated(*mine)
    y.backward(dy)
    wide = [x.double().requires_grad_() for x in (gates, ups)]
    expected = F.silu(wide[0]) * wide[1]
    expected.backward(dy.double())
    close(y.detach(), expected.detach())
    for ours, theirs in zip(mine, wide, strict=True):
        close(ours.grad, theirs.grad)


def test_threads_change_no_bit(library):
    x, dy = noise(2, 3, 170, 32), noise(2, 3, 170, 32, seed=1).bfloat16()
    cos, sin = (each[:, 0].numpy() for each in angles(2, 170, 16))
    turned = Turned(x.numpy(), noise(32, seed=2).numpy(), EPSILON, cos, sin)
    bits = dy.view(torch.uint16).numpy()
    first, *others = (
        (turn(library, turned, n), *turn_back(library, turned, bits, n)) for n in (1, 2, 3)
    )
    for other in others:
        assert all(map(np.array_equal, first, other))


def test_refuses_what_does_not_fit(library):
    x, weight = noise(1, 2, 3, 32).numpy(), noise(32).numpy()
    cos = noise(1, 3, 16).numpy()
    for wrong in (
        Turned(x[..., :20], weight[:20], EPSILON),
        Turned(x, weight[:16], EPSILON),
        Turned(x.astype(np.float64), weight, EPSILON),
        Turned(x, weight, EPSILON, cos[:, :2], cos[:, :2]),
        Turned(x, weight, EPSILON, np.repeat(cos, 2, 2), np.repeat(cos, 2, 2)),
        Turned(x, weight, EPSILON, np.repeat(cos, 2, 0), np.repeat(cos, 2, 0)),
    ):
        with pytest.raises(HornbookError, match="the kernels need"):
            turn(library, wrong)


LAYERS = {
    "attention": AttentionConfig(
        heads=4, kv_heads=2, head=32, rotary=RotaryConfig(), qk_norm=RMSNormConfig()
    ),
    "attention alone": AttentionConfig(heads=2, kv_heads=2, head=32),
    "partial": AttentionConfig(heads=2, kv_heads=1, head=64, rotary=RotaryConfig(channels=32)),
    "small": AttentionConfig(heads=2, kv_heads=1, head=8, rotary=RotaryConfig()),
    "centred": AttentionConfig(
        heads=2, kv_heads=2, head=32, qk_norm=RMSNormConfig(centred=True), gated=True
    ),
    "whole": AttentionConfig(
        heads=2, kv_heads=2, head=32, qk_norm=RMSNormConfig(), qk_norm_whole=True
    ),
    "mlp": GatedMLPConfig(hidden=80),
    "gelu": GatedMLPConfig(hidden=80, activation="gelu"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_what_they_are_in_float32(name):
    layer = PreNormConfig(norm=RMSNormConfig(), layer=LAYERS[name]).build(48)
    for i, weight in enumerate(layer.parameters()):
        weight.data = noise(*weight.shape, seed=i) / weight.shape[-1] ** 0.5 + (weight.ndim == 1)

    def run(short):
        x = noise(2, 40, 48, seed=9).requires_grad_()
        ctx = Context(torch.arange(40)[None], Mask(causal=True))
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=short):
            y = layer(x, ctx)
        (y * noise(*y.shape, seed=10)).sum().backward()
        return [y.detach(), x.grad, *(weight.grad for weight in layer.parameters())]

    for ours, theirs in zip(run(True), run(False), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.02 * theirs.norm()
