"""The cross-entropy of rows of logits as the kernels take it: arrays, checked. Imports no torch."""

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require

_MOST = 2**31 - 1


def cross_entropy(
    library: Library,
    logits: np.ndarray,
    targets: np.ndarray,
    bias: np.ndarray | None = None,
    smoothing: float = 0.0,
    cap: float | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """The loss of each target (N,) int64 in nats, float32; 0 where it is below 0.

    logits: (N, V) uint16 that hold bfloats, which become the gradient of the sum of the losses.
    bias: (V,) float32, added to them. smoothing: the share of each target spread over all (Szegedy
    et al. 2016, 7). cap: logits z are cap tanh(z / cap). threads: None for as many as compute best.
    """
    rows, vocab = logits.shape
    require(max(rows, vocab) <= _MOST // 2, "sizes of 32 bits")
    require(not rows or int(targets.max()) < vocab, "targets that are there")
    losses = np.empty(rows, np.float32)
    call = structures.CrossEntropy(
        rows=rows,
        vocab=vocab,
        smoothing=smoothing,
        cap=cap or 0.0,
        logits=array(logits, (rows, vocab), np.uint16),
        bias=None if bias is None else array(bias, (vocab,), np.float32),
        target=array(targets, (rows,), np.int64),
        loss=array(losses, (rows,), np.float32),
    )
    library.cross_entropy(call, threads)
    return losses
