"""The one place where a mask's meaning becomes kernel arguments."""

from typing import TypedDict

import torch
from torch import Tensor

from hornbook.nn.contract import Mask


class KernelMask(TypedDict):
    """Keyword arguments of torch's scaled_dot_product_attention."""

    attn_mask: Tensor | None
    is_causal: bool


def self_attention_mask(
    mask: Mask, time: int, window: int | None = None, device: torch.device | None = None
) -> KernelMask:
    """Tokens of one chunk look at each other: keys are the queries' own positions.

    window: only tokens that are fewer than so many away are seen, on each side that is seen at
    all. device: of what is made for it.
    No softmax is over nothing: where tokens differ in what they see, each sees itself, and where
    they do not, a row without a valid token sees all of itself. What an invalid token computes is
    seen by nobody else.
    """
    narrow = window is not None and window < time
    if mask.segments is None and not narrow:
        if mask.valid is None:
            return KernelMask(attn_mask=None, is_causal=mask.causal)
        if not mask.causal:  # a mask of one row for all queries is as much smaller
            some = mask.valid | ~mask.valid.any(1, keepdim=True)
            return KernelMask(attn_mask=some[:, None, None], is_causal=False)
    seen = torch.ones(1, time, time, dtype=torch.bool, device=device)
    if mask.causal:
        seen = seen.tril()
    if narrow:
        assert window is not None
        seen = seen.triu(1 - window).tril(window - 1)
    if mask.valid is not None:
        seen = seen & mask.valid[:, None, :]
    if mask.segments is not None:
        seen = seen & (mask.segments[:, :, None] == mask.segments[:, None, :])
    itself = torch.eye(time, dtype=torch.bool, device=device)
    return KernelMask(attn_mask=(seen | itself)[:, None], is_causal=False)


def biased(mask: KernelMask, bias: Tensor | None) -> KernelMask:
    """The mask with what is added to the scores, (B or 1, H, T, S), if there is such."""
    seen = mask["attn_mask"]
    if bias is None:
        return mask
    if mask["is_causal"]:
        seen = torch.ones(bias.shape[-2:], dtype=torch.bool, device=bias.device).tril()
    added = bias if seen is None else bias.masked_fill(~seen, float("-inf"))
    return KernelMask(attn_mask=added, is_causal=False)


def cached_attention_mask(
    mask: Mask, pos: Tensor, keys: int, window: int | None = None
) -> KernelMask:
    """Queries at `pos` (B, T) look at a cache whose entry s holds the token of position s.

    Entries later than the query are either not written yet or right padding, so causality hides
    both: a cache needs no record of what is valid. window: only the last so many up to the query's
    own are seen.
    """
    assert mask.causal, "a cache continues causal sequences only"
    assert mask.segments is None, "a cache holds one segment a row"
    narrow = window is not None and window < keys
    if pos.numel() == 1 and mask.valid is None and not narrow:
        # The last entry that is looked at is the query's own.
        return KernelMask(attn_mask=None, is_causal=False)
    if len(pos) == 1 and pos.shape[1] == keys and not narrow:  # the row begins with this chunk
        return KernelMask(attn_mask=None, is_causal=True)
    entries = torch.arange(keys, device=pos.device)
    seen = entries <= pos[..., None]
    if narrow:
        assert window is not None
        seen = seen & (entries > pos[..., None] - window)
    return KernelMask(attn_mask=seen[:, None], is_causal=False)
