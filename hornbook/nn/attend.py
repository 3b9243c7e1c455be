"""softmax(Q K^T / sqrt(C)) V by the kernel that is fastest where it runs."""

import torch
import torch.nn.functional as F
from torch import Tensor

_LONG = 256
"""Keys from which the CPU's bfloat16 kernel is as fast as float32's, forward and backward."""


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    enable_gqa: bool = False,
) -> Tensor:
    """(B, H, T, C) from queries (B, H, T, C), keys and values (B, H or fewer, S, C).

    On the CPU the gradient of torch's bfloat16 kernel costs five times that of its float32 kernel
    when sequences are short (docs/log.md), so those are trained in float32.
    """
    if q.shape[2] == 1 and enable_gqa and not torch.is_grad_enabled():
        # Heads that share keys are queries of one sequence: the kernel repeats no keys for them.
        grouped = q.view(len(q), k.shape[1], -1, q.shape[3])
        y = F.scaled_dot_product_attention(grouped, k, v, attn_mask=attn_mask)
        return y.view(q.shape)
    short = q.dtype == torch.bfloat16 and q.device.type == "cpu" and k.shape[2] < _LONG
    if not (short and torch.is_grad_enabled()):
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attn_mask, is_causal=is_causal, enable_gqa=enable_gqa
        )
    with torch.autocast("cpu", enabled=False):
        y = F.scaled_dot_product_attention(
            q.float(),
            k.float(),
            v.float(),
            attn_mask=attn_mask,
            is_causal=is_causal,
            enable_gqa=enable_gqa,
        )
    return y.to(q.dtype)
