"""Sequences in chunks of tokens, for recurrences that are computed a chunk at a time.

Shapes besides the package's: K chunks of Q tokens, H heads. A segment lies in one piece.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def chunked(x: Tensor, size: int) -> Tensor:
    """(B, T, ...) -> (B, K, Q, ...), with zeros after the end: they neither write nor decay."""
    pad = [0, 0] * (x.ndim - 2) + [0, -x.shape[1] % size]
    y: Tensor = F.pad(x, pad).unflatten(1, (-1, size))
    return y


def chunked_segments(segments: Tensor, size: int) -> Tensor:
    """Segments (B, T) in chunks, (B, K, Q); what is filled up belongs to the last one."""
    return chunked(segments - segments[:, -1:], size)


def running(x: Tensor, ids: Tensor | None) -> Tensor:
    """Sums of x (..., Q, H) up to each place, beginning anew in each segment, (..., Q, H).

    With segments as a product with zeros and ones: what a running sum carries over a border
    cancels later, but rounding would leave a trace of it, and gradients across.
    """
    if ids is None:
        return x.cumsum(-2)
    own = (ids[..., :, None] == ids[..., None, :]).tril().to(x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        return own @ x


def segment_before(ids: Tensor) -> Tensor:
    """The segment that stood right before each chunk, (B, K); before the first, its own."""
    return torch.cat([ids[:, :1, 0], ids[:, :-1, -1]], dim=1)
