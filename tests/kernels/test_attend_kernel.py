"""Attention in bfloats by our kernels: what the formula gives in float64, gradients too."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.attend import Looking, attend, attend_back
from hornbook.kernels.check_training import training_is_right
from hornbook.nn import attend_kernel
from hornbook.nn.attend import attend as attend_layer
from hornbook.nn.contract import Mask
from hornbook.nn.masks import self_attention_mask
from tests.tiny import need_kernels

ROUNDING = 0.006
"""Of the norm: bfloats have eight bits, and shares and slopes are rounded to them once."""


class Shape(NamedTuple):
    heads: int
    kv_heads: int
    queries: int
    keys: int
    head: int


SHAPES = (
    Shape(2, 2, 64, 64, 32),
    Shape(4, 2, 150, 150, 64),  # more than a panel
    Shape(3, 1, 7, 40, 20),
    Shape(1, 1, 1, 33, 8),
    Shape(2, 2, 33, 1, 80),
)


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    return native.library()


def drawn(shape, seed=0):
    """Queries, keys, values and a gradient, laid out as projections are."""
    draw = torch.Generator().manual_seed(seed)
    s = shape
    for heads, time in ((s.heads, s.queries), (s.kv_heads, s.keys)) * 2:
        x = torch.randn(2, time, heads, s.head, generator=draw)
        yield x.bfloat16().transpose(1, 2)


def inputs(shape):
    q, k, dy, v = drawn(shape)
    return q, k, v, dy


def bits(x):
    return x.detach().view(torch.uint16).numpy()


def expected(q, k, v, dy, seen, causal):
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    shared = q.shape[1] != k.shape[1]
    y = F.scaled_dot_product_attention(*wide, seen, is_causal=causal, enable_gqa=shared)
    y.backward(dy.double())
    return [y.detach(), *(x.grad for x in wide)]


def found(library, q, k, v, dy, seen, causal, threads=None):
    mask = None if seen is None else seen.numpy()
    looking = Looking(bits(q), bits(k), bits(v), mask, causal)
    y, sums = attend(library, looking, threads)
    return y, *attend_back(library, looking, sums, bits(dy), threads)


def agree(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        a = torch.from_numpy(a).view(torch.bfloat16).double()
        assert (a - b).norm() < ROUNDING * b.norm() + 1e-9


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_formula_and_its_gradient(library, shape, causal):
    x = inputs(shape)
    agree(found(library, *x, None, causal), expected(*x, None, causal))


def masks():
    segments = torch.tensor([[0] * 50 + [1] * 3 + [2] * 97, [0] * 150])
    valid = torch.arange(150) < torch.tensor([[150], [20]])
    yield "documents", Mask(causal=True, segments=segments), None
    yield "a window", Mask(causal=True), 40
    yield "a narrow window of documents", Mask(causal=True, segments=segments), 5
    yield "padding", Mask(causal=False, valid=valid), None
    yield "padded sentences side by side", Mask(causal=False, valid=valid, segments=segments), None


@pytest.mark.parametrize(("mask", "window"), [m[1:] for m in masks()], ids=[m[0] for m in masks()])
def test_hides_what_a_mask_hides(library, mask, window):
    x = inputs(Shape(4, 2, 150, 150, 32))
    made = self_attention_mask(mask, 150, window)
    seen, causal = made["attn_mask"], made["is_causal"]
    agree(found(library, *x, seen, causal), expected(*x, seen, causal))


def test_a_mask_of_each_head(library):
    x = inputs(Shape(4, 2, 40, 70, 16))
    seen = torch.rand(2, 4, 40, 70, generator=torch.Generator().manual_seed(3)) < 0.4
    seen[..., 0] = True
    agree(found(library, *x, seen, False), expected(*x, seen, False))


def test_nothing_seen_is_nothing(library):
    x = inputs(Shape(1, 1, 40, 40, 16))
    seen = torch.ones(1, 1, 40, 40, dtype=torch.bool)
    seen[:, :, 5] = False
    y, dq, *_ = found(library, *x, seen, False)
    assert not y[:, :, 5].any() and not dq[:, :, 5].any()
    assert y[:, :, 4].any() and dq[:, :, 4].any()


def test_what_is_hidden_leaves_no_trace(library):
    q, k, v, dy = inputs(Shape(2, 2, 70, 70, 16))
    loud = [torch.where(torch.arange(70)[:, None] < 60, x, 1e4 * x) for x in (k, v)]
    seen = (torch.arange(70) < 60).expand(1, 1, 70, 70)
    ours = [found(library, q, *kv, dy, seen, False) for kv in ((k, v), loud)]
    for a, b in zip(*ours, strict=True):
        assert np.array_equal(a, b)
    assert not ours[0][2][:, :, 60:].any() and not ours[0][3][:, :, 60:].any()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(library, threads):
    x = inputs(Shape(4, 2, 150, 150, 32))
    for a, b in zip(
        found(library, *x, None, True, threads), found(library, *x, None, True, 4), strict=True
    ):
        assert np.array_equal(a, b)
    assert training_is_right(library, threads)


def test_no_number_stays_none(library):
    q, k, v, dy = inputs(Shape(1, 1, 40, 40, 16))
    q[0, 0, 7, 3] = float("nan")
    y, *_ = found(library, q, k, v, dy, None, True)
    nan = torch.from_numpy(y).view(torch.bfloat16).isnan()
    assert nan[0, 0, 7].all() and not nan[0, 0, :7].any()


def test_refuses_what_does_not_fit(library):
    q, k, v, _ = map(bits, inputs(SHAPES[0]))
    for wrong in (
        Looking(q, k[:, :, :5], v),
        Looking(q, k, v[..., ::2]),
        Looking(q, np.concatenate([k, k[:, :1]], 1), np.concatenate([v, v[:, :1]], 1)),
        Looking(q.astype(np.int32), k, v),
        Looking(q[:, :, :0], k, v),
    ):
        with pytest.raises(HornbookError, match="the kernels need"):
            attend(library, wrong)


@pytest.mark.parametrize("seen", [None, torch.ones(1, 1, 40, 40, dtype=torch.bool).tril()])
def test_as_an_operation(seen):
    q, k, v, dy = inputs(Shape(4, 2, 40, 40, 16))
    mine = [x.requires_grad_() for x in (q, k, v)]
    assert attend_kernel.attends(q, seen)
    y = attend_layer(*mine, attn_mask=seen, is_causal=seen is None, enable_gqa=True)
    assert y.transpose(1, 2).is_contiguous()
    y.backward(dy)
    for ours, theirs in zip(
        [y, *(x.grad for x in mine)], expected(q, k, v, dy, seen, seen is None), strict=True
    ):
        assert (ours.double() - theirs).norm() < ROUNDING * theirs.norm()
    assert not attend_kernel.attends(q, torch.zeros(1))  # what is added to scores has a gradient
    with torch.no_grad():
        assert not attend_kernel.attends(q, seen)


@pytest.mark.slow
def test_the_operation_keeps_torchs_rules():
    q, k, v, _ = inputs(Shape(2, 1, 9, 9, 8))
    arguments = (q.requires_grad_(), k.requires_grad_(), v.requires_grad_(), None, True, 0.3)
    assert attend_kernel.attends(q, None)
    torch.library.opcheck(attend_kernel.attend_with_sums, arguments)
