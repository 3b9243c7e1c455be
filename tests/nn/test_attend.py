"""Short sequences in bfloat16 take the float32 kernel: same answers, gradients too, masks too."""

import pytest
import torch

from hornbook.nn.attend import attend


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("keys", [1, 40, 256])
def test_equals_the_formula(masked, keys):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, h, t, 16, generator=draw) for h, t in ((4, 9), (2, keys), (2, keys)))
    mask = torch.rand(2, 1, 9, keys, generator=draw) < 0.7
    mask[..., 0] = True
    mask = mask if masked else None

    def run(dtype):
        inputs = [x.detach().clone().to(dtype).requires_grad_() for x in (q, k, v)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = attend(*inputs, attn_mask=mask, enable_gqa=True)
        assert y.dtype == dtype
        y.float().square().sum().backward()
        return [y, *(x.grad for x in inputs)]

    wide = [x.repeat_interleave(2, 1) for x in (k, v)]
    scores = q @ wide[0].mT / 4
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    torch.testing.assert_close(run(torch.float32)[0], scores.softmax(-1) @ wide[1])
    for short, long in zip(run(torch.bfloat16), run(torch.float32), strict=True):
        assert (short.float() - long).norm() < 0.02 * long.norm() + 1e-3
