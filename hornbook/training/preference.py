"""Direct preference optimisation (Rafailov et al. 2023): prefer one answer, stay near a
reference.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.batch import Batch
from hornbook.batches.conversations import stack
from hornbook.batches.preferences import PreferenceBatch, PreferencePair, PreferencePairs
from hornbook.core.machine import DType
from hornbook.models.causal_lm import CausalLM
from hornbook.training.objective import Objective
from hornbook.training.parallel.spread import spread
from hornbook.training.policy import as_it_is, target_logs
from hornbook.training.precision import product_type


class PreferenceScores(NamedTuple):
    """losses: nats of each pair. right: whether the chosen answer gained more than the other."""

    losses: list[float]
    right: list[bool]


def prefer(beta: float) -> Objective:
    """The objective of eq. 7: -log sigmoid(beta ((c - c_ref) - (r - r_ref))), a sum over pairs.

    c, r: log-probabilities of the chosen and the rejected answer, summed over their tokens.
    """

    def objective(model: nn.Module, batch: PreferenceBatch) -> tuple[Tensor, int]:
        return -F.logsigmoid(beta * margins(model, batch)).sum(), len(batch.reference)

    return objective


def margins(model: nn.Module, batch: PreferenceBatch) -> Tensor:
    """(B,) how much more the chosen answer gained over the reference than the rejected one."""
    gained = torch.stack(
        [answer_log_probabilities(model, side) for side in (batch.chosen, batch.rejected)], dim=1
    )
    gained = gained - batch.reference
    return gained[:, 0] - gained[:, 1]


def answer_log_probabilities(model: nn.Module, batch: Batch) -> Tensor:
    """(B,) float32: the log-probability in nats of the trained targets of each row, their sum."""
    rows, logs = target_logs(model, batch)
    return logs.new_zeros(len(batch.targets)).index_add(0, rows, logs)


class Reference:
    """What a model thinks of pairs of answers as it is now, whatever it learns later.

    Weights that do not move are shared with the model, others are copied. A pair is judged alone,
    so its figures do not depend on when it is asked for.
    """

    def __init__(self, model: CausalLM, padding: int, device: str, dtype: DType) -> None:
        self._model = as_it_is(model)
        self._padding, self._device, self._dtype = padding, device, dtype

    @torch.no_grad()
    def __call__(self, pair: PreferencePair) -> Tensor:
        """(2,) float32: the log-probabilities in nats of the chosen and the rejected answer."""
        longest = max(len(example.ids) for example in pair) - 1
        both = stack([[example] for example in pair], longest, self._padding).to(self._device)
        with product_type(self._device, self._dtype):
            return answer_log_probabilities(self._model, both).float().cpu()


@torch.no_grad()
def judge(
    model: CausalLM, pairs: PreferencePairs, rows: int, beta: float, device: str, dtype: DType
) -> PreferenceScores:
    """Measure `model` on all pairs; it is left in the mode in which it came."""
    was_training = model.training
    model.eval()

    def measured(first: int) -> list[float]:
        batch = pairs.take(range(first, min(first + rows, len(pairs.pairs)))).to(device)
        with product_type(device, dtype):
            found: list[float] = margins(model, batch).float().tolist()
        return found

    parts = spread(measured, range(0, len(pairs.pairs), rows))
    model.train(was_training)
    margin = torch.tensor([one for part in parts for one in part])
    return PreferenceScores((-F.logsigmoid(beta * margin)).tolist(), (margin > 0).tolist())
