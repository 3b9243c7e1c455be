"""Group-relative policy optimisation, against formulas written by hand in float64."""

import math

import numpy as np
import pytest
import torch

from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import answered
from hornbook.batches.rollouts import Rollout, batch_of
from hornbook.models.presets import PRESETS
from hornbook.training.loop import LoopConfig
from hornbook.training.policy import (
    advantages,
    as_it_is,
    divergence,
    improve,
    reference_logs,
    target_logs,
)
from hornbook.training.schedule import ScheduleConfig
from tests.tiny import decoder_sizes

ROLLOUTS = [
    Rollout([5, 6, 7], [8, 9, 2], 0.75),
    Rollout([5, 6, 7], [4], -0.25),
    Rollout([3], [9, 9, 9, 9, 2], -0.5),
]
LOOP = LoopConfig(steps=1, micro_rows=2, schedule=ScheduleConfig(), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def model():
    made = PRESETS["qwen3"](decoder_sizes(vocab=20, width=16, context=32)).build(3)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) / 4)
    return made.double().eval()


def log_probabilities(model, one):
    """Of each token of an answer, one by one."""
    ids = [*one.prompt, *one.answer]
    logits = model(torch.tensor([ids])).detach().numpy()[0]
    found = []
    for at in range(len(one.prompt), len(ids)):
        row = logits[at - 1]
        found.append(row[ids[at]] - row.max() - math.log(np.exp(row - row.max()).sum()))
    return np.array(found)


def test_an_advantage_is_what_an_answer_is_worth_beside_its_group():
    found = advantages(np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [0.5, 0, 1, 0.5]]))
    expected = [[0.75, -0.25, -0.25, -0.25], [0, 0, 0, 0], [0, -0.5, 0.5, 0]]
    assert np.array_equal(found, expected)


def test_the_prompt_is_not_learned_and_the_end_is_and_nothing_after_it():
    batch = batch_of(ROLLOUTS, 1.0, padding=0)
    learned = batch.answers.targets != IGNORE
    for row, one in zip(range(3), (ROLLOUTS[0], ROLLOUTS[2], ROLLOUTS[1]), strict=True):
        assert batch.answers.targets[row][learned[row]].tolist() == list(one.answer)
        first = int(learned[row].nonzero()[0])
        assert first == len(one.prompt) - 1  # what the last token of the prompt foretells
        assert int(learned[row].nonzero()[-1]) == first + len(one.answer) - 1
    assert batch.advantages.tolist() == [0.75, -0.5, -0.25]
    assert answered([5, 6, 7], [4]).trained.tolist() == [False] * 3 + [True]


def test_log_probabilities_are_those_of_each_token(model):
    rows, logs = target_logs(model, batch_of(ROLLOUTS, 1.0, 0).answers)
    for row, one in zip(range(3), (ROLLOUTS[0], ROLLOUTS[2], ROLLOUTS[1]), strict=True):
        assert np.allclose(logs[rows == row].detach(), log_probabilities(model, one), atol=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_gradient_is_that_of_the_formula(model, beta):
    """Of sum A log p + beta k3, by autograd on the formula token by token, in float64."""
    reference = as_it_is(model)
    with torch.no_grad():
        for weight in reference.parameters():
            weight.mul_(1.05)
    batch = batch_of(ROLLOUTS, 0.5, 0)
    if beta:
        batch = batch._replace(reference=reference_logs(reference, batch.answers))
    loss, count = improve(beta)(model, batch)
    ours = torch.autograd.grad(loss, list(model.parameters()))
    expected = torch.zeros((), dtype=torch.float64)
    value = 0.0
    for one in ROLLOUTS:
        ids = torch.tensor([[*one.prompt, *one.answer]])
        places = range(len(one.prompt), ids.shape[1])
        logs = model(ids).log_softmax(-1)[0, [at - 1 for at in places], one.answer]
        expected = expected - one.advantage * logs.sum()
        value -= one.advantage * len(one.answer)
        if beta:
            theirs = reference(ids).log_softmax(-1)[0, [at - 1 for at in places], one.answer]
            ratio = (theirs.detach() - logs).exp()
            held = beta * (ratio - 1 - ratio.log()).sum()
            expected, value = expected + held, value + float(held.detach())
    theirs = torch.autograd.grad(0.5 * expected, list(model.parameters()))
    assert count == 3 and float(loss.detach()) == pytest.approx(0.5 * value, rel=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-6)


def test_pieces_give_the_gradient_of_the_whole(model):
    batch = batch_of(ROLLOUTS, 1.0, 0)
    batch = batch._replace(reference=reference_logs(as_it_is(model), batch.answers))
    whole = torch.autograd.grad(improve(0.1)(model, batch)[0], list(model.parameters()))
    parts = list(batch.split(2))
    assert [part.answers.tokens.shape[0] for part in parts] == [2, 1]
    assert parts[1].answers.tokens.shape[1] == 3  # as wide as its own longest
    total = sum(improve(0.1)(model, part)[0] for part in parts)
    for one, other in zip(torch.autograd.grad(total, list(model.parameters())), whole, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_model_is_not_away_from_itself(model):
    batch = batch_of(ROLLOUTS, 1.0, 0)
    found = reference_logs(as_it_is(model), batch.answers)
    _, logs = target_logs(model, batch.answers)
    assert divergence(logs.detach(), found[batch.answers.targets != IGNORE]).abs().max() == 0


def test_the_divergence_has_the_mean_of_kl():
    """k3 over all tokens, each as often as the policy draws it, is KL(policy || reference)."""
    policy, other = (
        torch.randn(50, generator=torch.Generator().manual_seed(i)).double().log_softmax(0)
        for i in (0, 1)
    )
    found = divergence(policy, other)
    assert bool((found >= 0).all())
    exact = (policy.exp() * (policy - other)).sum()
    assert float((policy.exp() * found).sum()) == pytest.approx(float(exact))
