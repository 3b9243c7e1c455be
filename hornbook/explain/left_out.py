"""Training again without some of the text, and what gradients say of it beforehand."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.packing import PackedWindows
from hornbook.core.stats import Estimate


class LeftOut:
    """The batches of a run in which some tokens of the stream are not learned.

    They stay where they are, so that all else is read as it was. positions: (N,) of the stream.
    """

    def __init__(self, windows: PackedWindows, positions: np.ndarray) -> None:
        self._windows, self._positions = windows, positions

    def batch(self, step: int) -> Batch:
        """The batch of optimiser step `step`."""
        batch = self._windows.batch(step)
        hidden = torch.from_numpy(np.isin(self._windows.places(step), self._positions))
        return batch._replace(targets=batch.targets.masked_fill(hidden, IGNORE))


def predicted(
    norms: Mapping[int, np.ndarray], exposures: Sequence[Mapping[int, int]], rates: Sequence[float]
) -> np.ndarray:
    """(N,) by how much training on each span lowered its own loss, as gradients at checkpoints
    say it: the sum over the steps that trained on it of the learning rate, times the squared norm
    of the gradient at the last checkpoint before (TracInCP, Pruthi et al. 2020, equation 2, of an
    example with itself). In units of its own: it assumes plain gradient descent.

    norms: (N,) by the step of the checkpoint. exposures: of each span, how many of its tokens each
    step trained on. rates: of each step.
    """
    steps = sorted(norms)
    found = np.zeros(len(exposures))
    for number, seen in enumerate(exposures):
        for step, tokens in seen.items():
            at = [one for one in steps if one <= step]
            if at:
                found[number] += rates[step] * tokens * norms[at[-1]][number]
    return found


def rank_correlation(one: np.ndarray, other: np.ndarray, seed: int = 0) -> Estimate:
    """Spearman's rank correlation with a percentile bootstrap over the pairs, 95 %."""
    from scipy.stats import rankdata

    def correlation(rows: np.ndarray) -> float:
        ranks = [rankdata(values[rows]) for values in (one, other)]
        if min(np.ptp(rank) for rank in ranks) == 0:
            return 0.0
        return float(np.corrcoef(*ranks)[0, 1])

    draw, count = np.random.default_rng(seed), len(one)
    found = [correlation(draw.integers(0, count, count)) for _ in range(1000)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(correlation(np.arange(count)), float(low), float(high))
