"""Group-relative policy optimisation (GRPO, Shao et al. 2024): what is drawn and pays more than its
group's mean becomes likelier, what pays less becomes rarer.

Decided here, and why:

- Strictly on-policy: each step draws its own answers, so the ratio of eq. 3 to the policy that drew
  them is 1 and nothing is clipped. Drawing takes no longer than the gradient here; to use answers
  twice would save little and bring two settings.
- Neither divided by the group's standard deviation nor by each answer's length (Liu et al. 2025,
  "Dr. GRPO"): the first makes prompts count for more that are nearly always or nearly never
  answered, the second lets wrong answers grow long. Sums are divided by one number, the most tokens
  that an answer may have, so that the gradient is that of the mean reward.
- A group of which all are worth the same teaches nothing, and is not computed.

Legend: B answers, T tokens, G answers to a prompt.
"""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.rollouts import RolloutBatch
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.contract import Context, Mask
from hornbook.training.objective import Objective


def advantages(rewards: np.ndarray) -> np.ndarray:
    """(P, G) of rewards (P, G): each beside the mean of its group."""
    found: np.ndarray = rewards - rewards.mean(1, keepdims=True)
    return found


def improve(beta: float) -> Objective:
    """The objective: minus each advantage times the answer's likelihood ratio, and `beta` times how
    far the model is from the reference. Its value is that of the second term alone, on average: the
    first is 0 where nothing was moved since the answers were drawn, and its gradient is not.

    Returns the sum over answers and their number.
    """

    def objective(model: nn.Module, batch: RolloutBatch) -> tuple[Tensor, int]:
        rows, logs = target_logs(model, batch.answers)
        ratio = (logs - logs.detach()).exp()
        total = -(ratio * batch.advantages[rows]).sum()
        if batch.reference is not None:
            theirs = batch.reference[batch.answers.targets != IGNORE]
            total = total + beta * divergence(logs, theirs).sum()
        return batch.scale * total, len(batch.advantages)

    return objective


def divergence(logs: Tensor, reference: Tensor) -> Tensor:
    """k3 of Schulman 2020, r - 1 - log r with r = reference / policy: of tokens that the policy
    drew its mean is KL(policy || reference), and none is below 0. (N,), nats.

    As a loss its gradient is that of KL(reference || policy) (Tang & Munos 2025): it calls the
    policy back to what it no longer says, and is 0 where both agree, as eq. 4 of GRPO has it.
    """
    log_ratio = reference - logs
    return log_ratio.exp() - 1 - log_ratio


def target_logs(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Of each target its row (N,) and its log-probability in nats (N,), row by row."""
    assert isinstance(model, CausalLM)
    mask = Mask(causal=True, segments=batch.segments)
    x = model.features(batch.tokens, Context(batch.pos, mask))
    trained = batch.targets != IGNORE
    logits = model.head(x[trained])
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logs = -F.cross_entropy(logits, batch.targets[trained], reduction="none")
    return trained.nonzero()[:, 0], logs


def as_it_is(model: CausalLM) -> CausalLM:
    """A model that stays what `model` is now. Weights that do not move are shared with it."""
    frozen = {id(weight): weight for weight in model.parameters() if not weight.requires_grad}
    return copy.deepcopy(model, frozen).eval()


@torch.no_grad()
def reference_logs(reference: CausalLM, batch: Batch) -> Tensor:
    """(B, T) float32: the log-probability of each target, 0 where there is none."""
    _, logs = target_logs(reference, batch)
    found = logs.new_zeros(batch.targets.shape)
    found[batch.targets != IGNORE] = logs
    return found
