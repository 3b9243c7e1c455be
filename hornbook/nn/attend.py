"""softmax(Q K^T / sqrt(C)) V (Vaswani et al. 2017, eq. 1), by torch's kernel or as it is written.

Knows kernels and their speed; knows nothing of layers.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hornbook.nn.masks import KernelMask

_SHORT = 128
"""Up to so many keys, training in bfloat16 on a CPU is faster by the formula: the backward pass of
torch's kernel takes 5 times as long at 16 tokens, 2 times at 128, the same at 256 (docs/log.md)."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: KernelMask) -> Tensor:
    """q (B, H, T, C), k and v (B, H_kv, S, C) -> (B, H, T, C). H_kv divides H."""
    shared = q.shape[1] != k.shape[1]
    short = q.dtype == torch.bfloat16 and q.device.type == "cpu" and k.shape[2] <= _SHORT
    if short and q.requires_grad and not shared:
        return _formula(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=shared, **mask)


def _formula(q: Tensor, k: Tensor, v: Tensor, mask: KernelMask) -> Tensor:
    scores = q / math.sqrt(q.shape[-1]) @ k.mT  # (B, H, T, S)
    seen = mask["attn_mask"]
    if mask["is_causal"]:
        seen = torch.ones(scores.shape[2:], dtype=torch.bool, device=q.device).tril()
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    return scores.softmax(-1, dtype=q.dtype) @ v
