"""Learning from a teacher: losses and gradients against hand-written ones in float64."""

import math

import numpy as np
import pytest
import torch

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.conversations import Example, PackedConversations
from hornbook.batches.taught import (
    Beginnings,
    Expected,
    TaughtBatch,
    TaughtConversations,
    written_rows,
)
from hornbook.models.presets import PRESETS
from hornbook.nn.training_kernels import training_kernels
from hornbook.training.distillation import (
    Teaching,
    distil,
    divergences,
    expectations,
    expected_loss,
    given_text,
    jensen_shannon,
)
from hornbook.training.objective import answer_token
from hornbook.training.precision import product_type
from tests.tiny import decoder_sizes, gradients, loud

VOCAB, REAL = 50, 41
"""Rows of a head, and ids that the tokenizer has: the others stand for nothing."""


def model(seed=0, **other):
    found = loud(PRESETS["qwen3"](decoder_sizes(vocab=VOCAB, **other)).build(seed))
    return found.requires_grad_(True)


def logits(rows, seed, scale=2.0):
    draw = torch.Generator().manual_seed(seed)
    return scale * torch.randn(rows, VOCAB, generator=draw, dtype=torch.float64)


def expected(rows, count, seed=1):
    """The likeliest tokens of a teacher, and the rest as one."""
    logs = logits(rows, seed).log_softmax(1)
    best = logs.topk(count, 1)
    rest = torch.log1p(-best.values.exp().sum(1, keepdim=True))
    return Expected(best.indices, torch.cat([best.values, rest], 1))


def by_hand(z, targets, there, teaching):
    """The loss, number by number."""
    w, heat, total = teaching.weight, teaching.temperature, 0.0
    for row, target in enumerate(targets.tolist()):
        plain = torch.exp(z[row]) / torch.exp(z[row]).sum()
        warm = torch.exp(z[row] / heat) / torch.exp(z[row] / heat).sum()
        known, divergence, others = there.ids[row].tolist(), 0.0, 0.0
        for place, token in enumerate(known):
            p = torch.exp(there.logs[row, place])
            divergence = divergence + p * torch.log(p / warm[token])
        others = sum(warm[token] for token in range(VOCAB) if token not in known)
        p = torch.exp(there.logs[row, -1])
        divergence = divergence + p * torch.log(p / others)
        total = total - (1 - w) * torch.log(plain[target]) + w * heat**2 * divergence
    return total


@pytest.mark.parametrize("teaching", [(1.0, 1.0, 0.5), (0.7, 1.0, 0.5), (0.6, 2.5, 0.5)])
def test_what_a_teacher_expects_is_learned_as_by_hand(teaching):
    teaching, z = Teaching(*teaching), logits(6, 0).requires_grad_(True)
    there, targets = expected(6, 5), torch.tensor([3, 40, 7, 7, 49, 0])
    reference = by_hand(z, targets, there, teaching)
    reference.backward()
    loss, gradient = expected_loss(z.detach(), targets, there, teaching)
    assert float(loss) == pytest.approx(float(reference.detach()), rel=1e-12)
    torch.testing.assert_close(gradient, z.grad, rtol=1e-10, atol=1e-12)


def test_the_rest_is_one_event():
    """A student that puts nothing on what was cut off is told so; without the rest it would win."""
    there, targets = expected(1, 3), torch.tensor([0])
    sure = torch.full((1, VOCAB), -40.0, dtype=torch.float64)
    sure.scatter_(1, there.ids, there.logs[:, :-1])
    fair = torch.zeros(1, VOCAB, dtype=torch.float64)
    rest = there.logs[:, -1] - math.log(VOCAB - 3)
    fair += rest
    fair.scatter_(1, there.ids, there.logs[:, :-1])
    only = Teaching(1.0, 1.0, 0.5)
    low, gradient = expected_loss(fair, targets, there, only)
    high, _ = expected_loss(sure, targets, there, only)
    assert abs(float(low)) < 1e-12 and float(high) > 1
    assert float(gradient.abs().max()) < 1e-12


def test_all_tokens_known_is_the_whole_divergence():
    there, z = expected(4, VOCAB - 1), logits(4, 0)
    whole = torch.nn.functional.kl_div(
        z.log_softmax(1), logits(4, 1).log_softmax(1), log_target=True, reduction="sum"
    )
    loss, _ = expected_loss(z, torch.zeros(4, dtype=torch.int64), there, Teaching(1.0, 1.0, 0.5))
    assert float(loss) == pytest.approx(float(whole), rel=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_divergence_of_own_text_has_the_gradient_of_autograd(beta):
    z, p = logits(5, 0).requires_grad_(True), logits(5, 1).log_softmax(1)
    q = z.log_softmax(1)
    if beta == 0:
        reference = (p.exp() * (p - q)).sum(1)
    elif beta == 1:
        reference = (q.exp() * (q - p)).sum(1)
    else:
        m = beta * p.exp() + (1 - beta) * q.exp()
        reference = beta * (p.exp() * (p - m.log())).sum(1)
        reference = reference + (1 - beta) * (q.exp() * (q - m.log())).sum(1)
    reference.sum().backward()
    loss, gradient = jensen_shannon(q.detach(), p, beta)
    torch.testing.assert_close(loss, reference.detach(), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, z.grad, rtol=1e-9, atol=1e-12)


def test_near_its_ends_the_divergence_goes_over_into_both_of_kullback_and_leibler():
    q, p = logits(5, 0).log_softmax(1), logits(5, 1).log_softmax(1)
    for end, near, by in ((0.0, 1e-6, 1e-6), (1.0, 1 - 1e-6, 1e-6)):
        exact, close = jensen_shannon(q, p, end)[0], jensen_shannon(q, p, near)[0] / by
        torch.testing.assert_close(close, exact, rtol=1e-3, atol=1e-6)


def examples():
    """Two conversations and a text, each with the number of its expectations."""
    ids = [np.arange(2, 12), np.arange(20, 28), np.arange(30, 39)]
    trained = [np.arange(10) > 5, np.isin(np.arange(8), (3, 4, 7)), np.ones(9, bool)]
    return [Example(*both, number) for number, both in enumerate(zip(ids, trained, strict=True))]


def batch_of(teacher, some):
    longest = max(len(one.ids) for one in some) - 1
    packed = PackedConversations(some, longest, len(some), 0, 0)
    return packed.batch(0)


def lookup_of(teacher):
    """What a teacher expects of each example alone."""

    def lookup(number):
        found = expectations(teacher, batch_of(teacher, [examples()[number]]), 4, REAL, 1.0)
        return found.ids.numpy(), found.logs.numpy()

    return lookup


def test_rows_come_with_what_is_expected_at_their_targets():
    """However rows are packed, cut into pieces or resized: where a target is, there is its own."""
    student, teacher, teaching = model(), model(1).requires_grad_(False), Teaching(0.8, 1.0, 0.5)
    objective, lookup = distil(teaching, teacher, REAL), lookup_of(teacher)
    alone = 0.0
    for one in examples():
        one_batch = batch_of(teacher, [one])
        there = Expected(*map(torch.from_numpy, lookup(one.number)))
        alone += float(given_text(student, one_batch, there, teaching)[0].detach())
    for context, rows in ((32, 1), (12, 4)):
        packed = PackedConversations(examples(), context, rows, 3, 0)
        batches = TaughtConversations(packed, lookup)
        for size in (1, 2, 4):
            found = [objective(student, piece) for piece in batches.batch(0).split(size)]
            assert sum(count for _, count in found) == sum(
                int(one.trained[1:].sum()) for one in examples()
            )
            assert sum(float(loss.detach()) for loss, _ in found) == pytest.approx(alone, rel=1e-5)


def test_without_a_teacher_it_is_the_loss_of_answers():
    student = model()
    packed = PackedConversations(examples(), 12, 3, 0, 0)
    batch = TaughtConversations(packed, None).batch(0)
    loss, count = distil(Teaching(0.0, 1.0, 0.5), None, REAL)(student, batch)
    plain, targets = answer_token(student, batch.given)
    assert (float(loss.detach()), count) == (float(plain.detach()), targets)


def test_a_teacher_expects_nothing_of_rows_that_stand_for_no_token():
    found = expectations(model(1), batch_of(None, examples()), 4, REAL, 1.0)
    assert int(found.ids.max()) < REAL
    torch.testing.assert_close(found.logs.exp().sum(1), torch.ones(len(found.logs)))


@pytest.mark.parametrize("cap", [None, 3.0])
def test_our_kernels_give_the_loss_and_the_gradient_of_torch(cap, monkeypatch):
    if training_kernels() is None:
        pytest.skip("no kernels of ours")
    student, teacher = model(), model(1).requires_grad_(False)
    student.head.cap = teacher.head.cap = cap
    batches = TaughtConversations(PackedConversations(examples(), 12, 3, 0, 0), lookup_of(teacher))
    objective, found = distil(Teaching(0.7, 1.0, 0.5), teacher, REAL), []
    for by_kernel in (True, False):
        if not by_kernel:
            monkeypatch.setattr("hornbook.training.distillation.by_kernel", lambda x: False)
        with product_type("cpu", "bfloat16"):
            loss, _ = objective(student, batches.batch(0))
        loss.backward()
        found.append((float(loss.detach()), gradients(student)))
    (loss, ours), (other, theirs) = found
    assert loss == pytest.approx(other, rel=1e-2)
    for name in ("head.weight", "embedding.token.weight"):
        apart = (ours[name] - theirs[name]).norm() / theirs[name].norm()
        assert float(apart) < 0.02, name


def test_a_student_learns_from_its_own_text_alone():
    """Only what it wrote is learned, and no gradient reaches the teacher."""
    student, teacher = model(), model(1, width=24).requires_grad_(False)
    prompts = [[2, 3, 4], [5, 6], [7, 8, 9, 10, 11]]
    texts = [[12, 13, 14], [15], [16, 17, 18, 19]]
    batch = written_rows(prompts, texts, 0)
    for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        assert batch.targets[row][batch.targets[row] != IGNORE].tolist() == text
        assert batch.tokens[row, : len(prompt)].tolist() == prompt
    objective = distil(Teaching(0.9, 1.0, 1.0), teacher, REAL)
    loss, count = objective(student, TaughtBatch(None, None, batch))
    loss.backward()
    sums, counts = divergences(student, teacher, batch, REAL)
    assert count == sum(map(len, texts)) == sum(counts)
    assert float(loss.detach()) == pytest.approx(sum(sums), rel=1e-5)
    assert all(weight.grad is None for weight in teacher.parameters())
    assert float(student.head.weight.grad.abs().sum()) > 0
    assert not student.head.weight.grad[REAL:].any()


def test_a_text_is_gone_on_with_from_anywhere_and_an_answer_from_its_beginning():
    conversation, several, text = examples()
    assert {len(one) for one in Beginnings([conversation], 18, 9).draw(50, (0,))} == {6}
    assert {len(one) for one in Beginnings([several], 18, 9).draw(50, (0,))} == {3, 7}
    assert {len(one) for one in Beginnings([text], 9, 4).draw(200, (0,))} == {1, 2, 3, 4, 5}
    assert {len(one) for one in Beginnings([conversation], 7, 4).draw(5, (0,))} == {6}
    assert len(Beginnings([conversation], 6, 4)) == 0
    drawn = Beginnings(examples(), 18, 9)
    assert len(drawn.each((0,), 2)) == 2
    assert drawn.draw(4, (0, 3)) == drawn.draw(4, (0, 3)) != drawn.draw(4, (0, 4))


def test_a_batch_of_both_kinds_falls_into_pieces_of_one():
    given = TaughtConversations(PackedConversations(examples(), 12, 3, 0, 0), None).batch(0)
    mixed = given._replace(written=written_rows([[1, 2], [3]], [[4], [5, 6]], 0))
    pieces = list(mixed.split(2))
    assert [piece.given is None for piece in pieces] == [False, False, True]
    assert sum(1 for _ in mixed.split(1)) == 5
    assert isinstance(pieces[0].given, Batch)
