"""The cross-entropy of logits in bfloats by our kernels: torch's in float64, gradients too."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.loss import cross_entropy
from hornbook.training import logit_loss
from tests.tiny import need_kernels

ROWS = 9


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    return native.library()


def drawn(vocab):
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(ROWS, vocab, generator=draw)
    targets = torch.randint(vocab, (ROWS,), generator=draw)
    targets[2] = -1
    return logits.bfloat16(), targets, torch.randn(vocab, generator=draw)


@pytest.mark.parametrize("vocab", [1, 5, 64, 777])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("cap", [None, 4.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_is_torchs(library, vocab, biased, cap, smoothing):
    logits, targets, bias = drawn(vocab)
    wide = logits.double().requires_grad_()
    z = wide + bias if biased else wide
    z = z if cap is None else cap * (z / cap).tanh()
    expected = F.cross_entropy(
        z, targets, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    expected.sum().backward()
    added = bias.numpy() if biased else None
    found = cross_entropy(
        library, logits.view(torch.uint16).numpy(), targets.numpy(), added, smoothing, cap
    )
    torch.testing.assert_close(
        torch.from_numpy(found).double(), expected.detach(), rtol=1e-5, atol=1e-5
    )
    assert (logits.double() - wide.grad).norm() <= 0.004 * wide.grad.norm() + 1e-6
    assert not logits[2].any()


def test_threads_change_no_bit(library):
    ours = []
    for threads in (1, 2, 3):
        logits, targets, _ = drawn(777)
        bits = logits.view(torch.uint16).numpy()
        ours.append((cross_entropy(library, bits, targets.numpy(), threads=threads), bits))
    for losses, bits in ours[1:]:
        assert np.array_equal(losses, ours[0][0]) and np.array_equal(bits, ours[0][1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_number_stays_none(library, bad):
    logits, targets, _ = drawn(64)
    logits[0, (targets[0] + 1) % 64] = bad
    found = cross_entropy(library, logits.view(torch.uint16).numpy(), targets.numpy())
    assert not np.isfinite(found[0]) and np.isfinite(found[1:]).all()


def test_refuses_what_does_not_fit(library):
    logits, targets, _ = drawn(64)
    bits = logits.view(torch.uint16).numpy()
    for wrong in (
        (bits, targets.numpy() + 64),
        (bits, targets.numpy()[1:]),
        (bits.astype(np.float32), targets.numpy()),
        (bits, targets.numpy(), np.zeros(3, np.float32)),
    ):
        with pytest.raises(HornbookError, match="the kernels need"):
            cross_entropy(library, *wrong)


def test_the_head_takes_it():
    draw = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 32, generator=draw).bfloat16() for n in (ROWS, 50))
    targets = torch.randint(50, (ROWS,), generator=draw)
    assert logit_loss.by_kernel(x) and not logit_loss.by_kernel(x.float())
    loss, delta = logit_loss.judge(x, weight, None, targets, 0.1, None)
    expected, gradient = logit_loss.judge(x.float(), weight.float(), None, targets, 0.1, None)
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    assert (delta.float() - gradient).norm() < 0.01 * gradient.norm()
