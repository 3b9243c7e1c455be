"""Beam search finds what exhaustive search finds, row by row, and greedy is one beam."""

import itertools

import pytest
import torch

from hornbook.generate.beam import BeamConfig, search
from hornbook.models.translators import PairSizes, SideSizes, transformer

VOCAB, START, END = 6, 5, 0
SIDE = SideSizes(depth=1, heads=2, hidden=8)
SIZES = PairSizes(
    vocab=VOCAB, width=8, context=16, encoder=SIDE, decoder=SIDE, start=START, dropout=0.0
)


@pytest.fixture(scope="module")
def model():
    built = transformer(SIZES).build().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(4)
    for name, weight in sorted(built.named_parameters()):
        weight.normal_(0, 0.8, generator=generator)
        weight += "norm" in name
    return built


def sources(rows):
    source = torch.randint(1, 5, (rows, 5), generator=torch.Generator().manual_seed(0))
    return source, torch.arange(5) < torch.tensor([[1 + i % 5] for i in range(rows)])


def found(model, source, valid, **options):
    return search(model, source, valid, START, END, BeamConfig(**options))


def likelihood(model, source, valid, target):
    tokens = torch.tensor([[START, *target[:-1]]])
    logs = model.head(model.features(tokens, model.encode(source, valid))).log_softmax(-1)
    return float(logs[0].gather(1, torch.tensor(target)[:, None]).sum())


def all_targets(most):
    """Everything that ends within `most` tokens, or fills them."""
    inner = range(1, VOCAB)
    for size in range(most):
        yield from ([*body, END] for body in itertools.product(inner, repeat=size))
    yield from map(list, itertools.product(inner, repeat=most))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_wide_beams_find_the_best_of_all(model, penalty):
    source, valid = sources(2)
    targets = found(model, source, valid, beams=200, penalty=penalty, max_tokens=3)
    for row, target in enumerate(targets):
        one = source[row : row + 1], valid[row : row + 1]
        scores = {tuple(t): likelihood(model, *one, t) / len(t) ** penalty for t in all_targets(3)}
        best = max(scores, key=lambda t: scores[t])
        assert tuple(target.ids) == best
        assert target.score == pytest.approx(scores[best], abs=1e-4)


def test_one_beam_is_greedy(model):
    source, valid = sources(6)
    for row, target in enumerate(found(model, source, valid, beams=1, max_tokens=9)):
        one = source[row : row + 1], valid[row : row + 1]
        state, chosen, expected = model.new_state(*one), START, []
        while len(expected) < 9 and chosen != END:
            chosen = int(model(torch.tensor([[chosen]]), state)[0, -1].argmax())
            expected.append(chosen)
        assert target.ids == expected


@pytest.mark.parametrize("beams", [1, 3])
def test_a_row_does_not_depend_on_those_beside_it(model, beams):
    source, valid = sources(6)
    together = found(model, source, valid, beams=beams, max_tokens=9)
    for row, target in enumerate(together):
        (alone,) = found(
            model, source[row : row + 1], valid[row : row + 1], beams=beams, max_tokens=9
        )
        assert target.ids == alone.ids


def test_lengths_are_bounded_by_the_source_and_the_context(model):
    source, valid = sources(3)
    assert max(len(target.ids) for target in found(model, source, valid, beams=2)) <= 16
    assert {len(t.ids) for t in found(model, source, valid, beams=2, max_tokens=1)} == {1}
