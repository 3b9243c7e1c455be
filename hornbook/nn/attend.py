"""softmax(scale Q K^T) V by the kernel that is fastest where it runs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.nn.attend_kernel import attend_with_sums, attends
from hornbook.nn.masks import KernelMask

_LONG = 256
"""Keys from which the CPU's bfloat16 kernel is as fast as float32's, forward and backward."""


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    enable_gqa: bool = False,
    scale: float | None = None,
) -> Tensor:
    """(B, H, T, C) from queries (B, H, T, C), keys and values (B, H or fewer, S, C).

    scale: of the scores, 1 / sqrt(C) if None.

    On the CPU, what is trained in bfloat16 is computed by kernels of our own. Without them, short
    sequences are trained in float32: the gradient of torch's bfloat16 kernel costs five times that
    of its float32 kernel there (docs/log.md).
    """
    if attends(q, attn_mask):
        scaled = q.shape[-1] ** -0.5 if scale is None else scale
        y: Tensor = attend_with_sums(q, k, v, attn_mask, is_causal, scaled)[0]
        return y
    if q.shape[2] == 1 and enable_gqa and not torch.is_grad_enabled():
        # Heads that share keys are queries of one sequence: the kernel repeats no keys for them.
        grouped = q.view(len(q), k.shape[1], -1, q.shape[3])
        found = F.scaled_dot_product_attention(grouped, k, v, attn_mask=attn_mask, scale=scale)
        return found.view(q.shape)
    short = q.dtype == torch.bfloat16 and q.device.type == "cpu" and k.shape[2] < _LONG
    if not (short and torch.is_grad_enabled()):
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attn_mask, is_causal=is_causal, enable_gqa=enable_gqa, scale=scale
        )
    if attn_mask is not None and attn_mask.is_floating_point():
        attn_mask = attn_mask.float()
    with torch.autocast("cpu", enabled=False):
        y = F.scaled_dot_product_attention(
            q.float(),
            k.float(),
            v.float(),
            attn_mask=attn_mask,
            is_causal=is_causal,
            enable_gqa=enable_gqa,
            scale=scale,
        )
    return y.to(q.dtype)


def attend_capped(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cap: float,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """As `attend`, each score s made cap tanh(s / cap) before the softmax, which no kernel does."""
    groups = q.unflatten(1, (k.shape[1], -1))  # (B, H_kv, H / H_kv, T, C)
    scores = groups @ k[:, :, None].mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = cap * (scores.float() / cap).tanh()
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    elif attn_mask is not None:
        attn_mask = attn_mask[:, :, None]
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    y: Tensor = (scores.softmax(-1).to(v.dtype) @ v[:, :, None]).flatten(1, 2)
    return y


class DotProductAttention(nn.Module):
    """`attend` or `attend_capped` as a part of a layer, without weights: a hook on it is told what
    looked at what.

    cap, scale: of the scores, see `AttentionConfig`.
    """

    def __init__(self, scale: float | None = None, cap: float | None = None) -> None:
        super().__init__()
        self.scale, self.cap = scale, cap

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: KernelMask) -> Tensor:
        if self.cap is not None:
            return attend_capped(q, k, v, self.cap, scale=self.scale, **mask)
        shared = k.shape[1] != q.shape[1]
        return attend(q, k, v, enable_gqa=shared, scale=self.scale, **mask)
