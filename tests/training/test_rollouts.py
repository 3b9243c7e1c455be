"""Answers drawn to learn from: the same for the same weights, seed, step and prompt."""

import numpy as np
import pytest

from hornbook.batches.batch import IGNORE
from hornbook.models.presets import PRESETS
from hornbook.tokenize.train import train_tokenizer
from hornbook.training.loop import LoopConfig
from hornbook.training.policy import as_it_is
from hornbook.training.rollouts import CheckedPrompt, Drawing, RolloutBatches, seed_of
from hornbook.training.schedule import ScheduleConfig
from tests.tiny import QUIET, decoder_sizes, loud

LOOP = LoopConfig(steps=1, micro_rows=3, schedule=ScheduleConfig(), device="cpu", dtype="float32")
MOST = 6


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    texts = ["the tablet of the child, the letter of the teacher"] * 3
    return train_tokenizer(texts, 290, tmp_path_factory.mktemp("tokenizer"), QUIET)


@pytest.fixture(scope="module")
def model(tokenizer):
    return loud(PRESETS["qwen3"](decoder_sizes(vocab=tokenizer.vocab_size)).build(0))


def batches(model, tokenizer, score, rows=2, reference=None):
    drawing = Drawing(model, tokenizer, score, MOST, LOOP)
    prompts = [
        CheckedPrompt(tokenizer.encode(f"the {word}"), word) for word in ("child", "letter", "of")
    ]
    return RolloutBatches(drawing, prompts, reference, rows, group=4, padding=0)


def by_length(text, goal):
    return min(1.0, len(text) / 20)


def ending(tokenizer):
    """The tokenizer, for which every second token ends an answer."""

    class Ends:
        stop_ids = frozenset(range(0, tokenizer.vocab_size, 2))

        def __getattr__(self, name):
            return getattr(tokenizer, name)

    return Ends()


def same(one, other):
    return all(
        (a == b).all() for a, b in zip(one.answers[:3], other.answers[:3], strict=True)
    ) and bool((one.advantages == other.advantages).all())


def test_a_step_is_the_same_whenever_it_is_asked(model, tokenizer):
    often = ending(tokenizer)
    first, again = (batches(model, often, by_length) for _ in range(2))
    again.batch(1)
    assert same(first.batch(0), again.batch(0))
    assert seed_of(0, 1, 2) != seed_of(0, 2, 1)


def test_an_answer_that_did_not_end_is_worth_nothing(model, tokenizer):
    """However it pleases the program; and what was drawn is learned token by token."""
    drawing = Drawing(model, tokenizer, lambda text, goal: 1.0, MOST, LOOP)
    drawn = drawing.draw([CheckedPrompt(tokenizer.encode("the"), None)], 40, [5])[0]
    for answer, reward in zip(drawn.answers, drawn.rewards, strict=True):
        ended = answer.token_ids[-1] in tokenizer.stop_ids
        assert reward == ended
        assert len(answer.token_ids) == MOST or ended


def test_groups_that_teach_nothing_are_left_out_and_still_counted(model, tokenizer):
    often = ending(tokenizer)
    flat = batches(model, often, lambda text, goal: 0.0)
    batch = flat.batch(0)
    assert batch.scale == 0 and len(batch.advantages) == 1 and flat.last.flat == 1
    draws = np.random.default_rng(0)
    mixed = batches(
        model, often, lambda text, goal: float(draws.random() < 0.5) * (goal != "of"), rows=3
    )
    batch = mixed.batch(0)
    assert len(batch.advantages) == 12 * (1 - mixed.last.flat) and mixed.last.flat > 0
    assert batch.scale == pytest.approx(len(batch.advantages) / 12 / MOST)


def test_every_prompt_is_asked_once_an_epoch(model, tokenizer):
    made = batches(model, tokenizer, by_length, rows=2)
    assert made.steps_per_epoch == 2 and made.of(3).steps_per_epoch == 1


def test_the_reference_stands_at_each_target(model, tokenizer):
    often = ending(tokenizer)
    made = batches(model, often, by_length, reference=as_it_is(model))
    batch = made.batch(0)
    learned = batch.answers.targets != IGNORE
    assert bool((batch.reference[learned] < 0).all())
    assert bool((batch.reference[~learned] == 0).all())
