"""Recurrences, convolutions and gated norms by our kernels: what the definitions give in float64,
gradients too."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.check_recurrence import recurrences_are_right
from hornbook.kernels.convolve import Convolved, convolve
from hornbook.kernels.norms import GatedRows, norm_gated
from hornbook.kernels.recurrence import Ruled, RuleSizes, Scanned, ScanSizes, rule, scan
from hornbook.nn import recurrence_kernel as ours
from hornbook.nn import training_kernels as kernels_of_training
from hornbook.nn.contract import Context, Mask
from hornbook.nn.delta import GatedDeltaConfig, delta_rule
from hornbook.nn.mamba2 import Mamba2Config
from hornbook.nn.short_conv import ShortConvConfig
from tests.tiny import need_kernels

ROUNDING = 0.008
"""Of the norm: bfloats have eight bits; shares, memories and their slopes are rounded to them."""
ROWS, TIME = 2, 140
BORDERS = torch.tensor([[3, 40, 64, 135], [0, 128, 129, 130]])
"""One at a chunk's begin, some inside, some side by side."""
SEGMENTS = (torch.arange(TIME)[None, :, None] >= BORDERS[:, None]).sum(-1)


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    kernels_of_training.training_kernels()
    return native.library()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(mine, theirs, share=ROUNDING):
    assert (mine.double() - theirs.double()).norm() <= share * theirs.norm() + 1e-9


def differentiate(function, *given):
    """What it gives, and the gradients of a drawn one of it."""
    mine = [x.clone().requires_grad_() for x in given]
    y = function(*mine)
    y.backward(noise(*y.shape, seed=99).bfloat16().to(y.dtype))
    return [y.detach(), *(x.grad for x in mine)]


def is_defined(function, definition, *given, share=ROUNDING):
    found = differentiate(function, *given)
    for mine, theirs in zip(
        found, differentiate(definition, *(x.double() for x in given)), strict=True
    ):
        assert mine.isfinite().all()
        close(mine, theirs, share)


def strengths(heads, strength=0.2):
    draw = torch.Generator().manual_seed(1)
    first, decay = torch.rand(2, ROWS, TIME, heads, generator=draw)
    return first, -strength * decay


def joined(segments, t):
    """Whether tokens go on with what was before, (B, 1, 1, 1)."""
    if segments is None or t == 0:
        return torch.ones(ROWS, 1, 1, 1)
    return (segments[:, t] == segments[:, t - 1])[:, None, None, None]


def heads_of(x, parts):
    """(B, T, H, channels) of each part, those shared given to all heads."""
    most = max(heads for heads, _ in parts)
    for part, (heads, size) in zip(x.split([h * c for h, c in parts], -1), parts, strict=True):
        yield part.unflatten(-1, (heads, size)).repeat_interleave(most // heads, 2)


WHOLE = "whole blocks", None
SCANS = {
    "whole blocks": ScanSizes(2, 64, 1, 64),
    "groups": ScanSizes(2, 32, 2, 96),
    "odd sizes": ScanSizes(3, 20, 3, 7),
}


@pytest.mark.parametrize(("name", "segments"), [(name, SEGMENTS) for name in SCANS] + [WHOLE])
def test_a_scan_is_the_recurrence(name, segments):
    sizes = SCANS[name]
    begin = ours.begins(segments)

    def one_by_one(mixed, step, decay, skip):
        value, write, read = heads_of(mixed, sizes.parts())
        state, found = 0, []
        for t in range(TIME):
            new = (step[:, t, :, None] * value[:, t])[..., None] * write[:, t, :, None]
            state = state * decay[:, t].exp()[..., None, None] * joined(segments, t) + new
            found.append((state @ read[:, t, ..., None])[..., 0] + skip[:, None] * value[:, t])
        return torch.stack(found, 1).flatten(2)

    mixed = noise(ROWS, TIME, sum(h * c for h, c in sizes.parts())).bfloat16()
    is_defined(
        lambda *given: ours.scanned(sizes, *given, begin),
        one_by_one,
        mixed,
        *strengths(sizes.heads),
        noise(sizes.heads, seed=2),
    )


RULES = {
    "whole blocks": RuleSizes(2, 64, 1, 64),
    "wide keys": RuleSizes(2, 32, 1, 96),
    "odd sizes": RuleSizes(3, 20, 3, 36),
}


def unit(x):
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


@pytest.mark.parametrize(("name", "segments"), [(name, SEGMENTS) for name in RULES] + [WHOLE])
def test_a_rule_is_the_recurrence(name, segments):
    sizes = RULES[name]
    begin = ours.begins(segments)

    def one_by_one(mixed, rate, decay):
        query, key, value = heads_of(mixed, sizes.parts())
        query, key = unit(query) * sizes.key**-0.5, unit(key)
        state, found = torch.zeros(ROWS, sizes.heads, sizes.head, sizes.key).double(), []
        for t in range(TIME):
            state = state * decay[:, t].exp()[..., None, None] * joined(segments, t)
            known = (state @ key[:, t, ..., None])[..., 0]
            written = rate[:, t, :, None] * (value[:, t] - known)
            state = state + written[..., None] * key[:, t, :, None]
            found.append((state @ query[:, t, ..., None])[..., 0])
        return torch.stack(found, 1).flatten(2)

    mixed = noise(ROWS, TIME, sum(h * c for h, c in sizes.parts())).bfloat16()
    is_defined(
        lambda *given: ours.ruled(sizes, *given, begin),
        one_by_one,
        mixed,
        *strengths(sizes.heads),
    )


@pytest.mark.parametrize("strength", [0.0, 50.0, 1e4])
def test_no_decay_overflows(strength):
    """Nor does what is written under one key again and again, where slopes nearly cancel."""
    sizes, scans = RuleSizes(2, 32, 2, 32), ScanSizes(2, 32, 1, 32)
    mixed = noise(ROWS, TIME, 192).bfloat16()
    mixed[..., 64:128] = mixed[:, :1, 64:128]
    rate, decay = strengths(2, strength)

    def by_chunks(mixed, rate, decay):
        query, key, value = (part.unflatten(-1, (2, 32)) for part in mixed.split([64, 64, 64], -1))
        given = unit(query) * 32**-0.5, unit(key), value, decay, rate
        return delta_rule(*given, start=None, segments=None, chunk=50)[0].flatten(2)

    given = mixed, rate, decay
    is_defined(lambda *x: ours.ruled(sizes, *x, None), by_chunks, *given, share=0.03)
    found = differentiate(
        lambda *given: ours.scanned(scans, *given, None), mixed[..., :128], rate, decay, noise(2)
    )
    assert all(each.isfinite().all() for each in found)


def test_invalid_tokens_leave_no_trace():
    """Those without step, rate and decay."""
    sizes = ScanSizes(2, 32, 1, 32)
    mixed, (step, decay), skip = noise(ROWS, TIME, 128).bfloat16(), strengths(2), noise(2)
    step[:, 100:] = decay[:, 100:] = 0
    loud = torch.where(torch.arange(TIME)[:, None] < 100, mixed, 1e3 * mixed)
    one, other = (ours.scanned(sizes, x, step, decay, skip, None)[:, :100] for x in (mixed, loud))
    assert torch.equal(one, other)


@pytest.mark.parametrize("segments", [None, SEGMENTS], ids=["whole", "segments"])
@pytest.mark.parametrize(
    ("taps", "active", "biased"), [(4, True, True), (3, False, False), (1, True, False)]
)
def test_a_convolution_is_the_sum(taps, active, biased, segments):
    begin = ours.begins(segments)
    far = torch.arange(TIME) - torch.from_numpy(begin) if begin is not None else None

    def by_taps(x, weight, bias=None):
        y = torch.zeros_like(x) if bias is None else bias.expand_as(x)
        for lag in range(taps):
            tap = F.pad(x, (0, 0, lag, 0))[:, :TIME] * weight[:, 0, taps - 1 - lag]
            y = y + (tap if far is None else tap * (far >= lag)[..., None])
        return F.silu(y) if active else y

    x = noise(ROWS, TIME, 96).bfloat16()
    given = [x, noise(96, 1, taps, seed=1), *([noise(96, seed=2)] if biased else [])]
    is_defined(
        lambda x, weight, bias=None: ours.convolved(x, weight, bias, begin, active),
        by_taps,
        *given,
    )


@pytest.mark.parametrize("before", [True, False])
def test_a_gated_norm_is_torchs(before):
    def norm(x, gate, weight):
        by = F.silu(gate).unflatten(-1, (3, 32))
        x = x.unflatten(-1, (3, 32)) * (by if before else 1)
        y = F.rms_norm(x, (32,), eps=1e-3) * weight.view(-1, 32)
        return (y if before else y * by).flatten(2)

    x, gate = noise(ROWS, TIME, 96).bfloat16(), noise(ROWS, TIME, 96, seed=1).bfloat16()
    weight = noise(96 if before else 32, seed=2)
    is_defined(lambda *given: ours.gated_norm(*given, 1e-3, 3, before), norm, x, gate, weight)


@pytest.fixture
def in_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(library, threads, in_threads):
    assert recurrences_are_right(library, threads)
    mixed = noise(ROWS, TIME, 192).bfloat16()
    gate = noise(ROWS, TIME, 64, seed=3).bfloat16()

    def all_of_them(mixed, rate, decay):
        y = ours.convolved(mixed, noise(192, 1, 4, seed=1), noise(192, seed=2), None, True)
        y = ours.ruled(RuleSizes(2, 32, 2, 32), y, rate, decay, None)
        y = ours.gated_norm(y, gate, noise(32, seed=4), 1e-3, 2, False)
        first = rate[..., :1], decay[..., :1]
        return ours.scanned(ScanSizes(1, 32, 1, 16), y, *first, noise(1), None)

    in_threads(threads)
    found = differentiate(all_of_them, mixed, *strengths(2))
    in_threads(1)
    for one, other in zip(found, differentiate(all_of_them, mixed, *strengths(2)), strict=True):
        assert torch.equal(one, other)


LAYERS = {
    "mamba2": Mamba2Config(heads=4, head=32, state=32, groups=2),
    "mamba2, odd sizes": Mamba2Config(heads=2, head=24, state=8, bias=True, conv_bias=False),
    "mamba2, by torch": Mamba2Config(heads=2, head=3, state=4),
    "delta": GatedDeltaConfig(heads=4, head=32, key_heads=2, key=32),
    "delta, by torch": GatedDeltaConfig(heads=3, head=5, key_heads=1, key=4),
    "lfm2": ShortConvConfig(kernel=3, bias=True),
}
MASKS = {
    "plain": Mask(causal=True),
    "segments": Mask(causal=True, segments=SEGMENTS),
    "padding": Mask(causal=True, valid=torch.arange(TIME) < torch.tensor([[140], [70]])),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_as_near_to_float32_as_torchs(name, mask, monkeypatch):
    layer, valid = LAYERS[name].build(48), MASKS[mask].valid
    for i, weight in enumerate(layer.parameters()):
        weight.data = noise(*weight.shape, seed=i) / weight.shape[-1] ** 0.5 + (weight.ndim == 1)
    real = 1 if valid is None else valid[..., None]

    def run(short):
        ctx = Context(torch.arange(TIME)[None], MASKS[mask])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=short):
            found = differentiate(lambda x: layer(x, ctx) * real, noise(ROWS, TIME, 48, seed=9))
        gradients = [weight.grad for weight in layer.parameters()]
        layer.zero_grad()
        return [*found, *gradients]

    mine, exact = run(True), run(False)
    monkeypatch.setattr(kernels_of_training, "_found", None)
    for one, other, true in zip(mine, run(True), exact, strict=True):
        assert (one - true).norm() <= 1.3 * (other - true).norm() + ROUNDING * true.norm()


def test_refuses_what_does_not_fit(library):
    mixed = noise(1, 5, 96).bfloat16().view(torch.uint16).numpy()
    rate, late = np.zeros((1, 5, 2), np.float32), np.full((1, 5), 3, np.int32)
    sizes, keys = ScanSizes(2, 32, 1, 16), RuleSizes(2, 16, 2, 16)
    skip = np.zeros(2, np.float32)
    rows = mixed.reshape(1, 2, 5, 48)
    for wrong in (
        lambda: scan(library, sizes._replace(groups=3), Scanned(mixed, rate, rate, skip)),
        lambda: scan(library, sizes, Scanned(mixed[..., :80], rate, rate, skip)),
        lambda: scan(library, sizes, Scanned(mixed, rate[:, :4], rate, skip)),
        lambda: scan(library, sizes, Scanned(mixed, rate, rate, skip[:1])),
        lambda: scan(library, sizes, Scanned(mixed, rate, rate, skip, late)),
        lambda: rule(library, keys, Ruled(mixed[:, ::2], rate, rate)),
        lambda: rule(library, keys, Ruled(mixed, rate.astype(np.float64), rate)),
        lambda: rule(library, keys._replace(key_heads=0), Ruled(mixed, rate, rate)),
        lambda: convolve(library, Convolved(mixed[..., :20], skip, None, None, True)),
        lambda: convolve(
            library, Convolved(mixed, np.zeros((0, 96), np.float32), None, None, True)
        ),
        lambda: convolve(
            library, Convolved(mixed, np.zeros((3, 96), np.float32), None, late, True)
        ),
        lambda: norm_gated(library, GatedRows(rows, rows, skip, 1e-3, False)),
        lambda: norm_gated(library, GatedRows(rows, rows[:, :1], skip, 1e-3, True)),
    ):
        with pytest.raises(HornbookError, match="the kernels need"):
            wrong()
