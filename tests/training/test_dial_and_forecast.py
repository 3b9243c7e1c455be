"""The dial turns one way, the user's word wins, and the forecast knows how unsure it is."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.models.presets import PRESETS
from hornbook.tokenize.characters import frequent_characters
from hornbook.training.dial import Plan, Wanted, choose, flops_per_token, probe_speed
from hornbook.training.forecast import Rehearsal, forecast, rehearse
from hornbook.training.image_dial import ImagePlan, WantedImages, choose_images
from hornbook.training.measures import MEASURES, Fall
from hornbook.training.objective import next_token
from hornbook.training.pair_dial import PairPlan, WantedPairs, choose_pairs
from hornbook.training.problem import Problem
from hornbook.training.vocabulary import TextSize
from tests.tiny import decoder_sizes

MACHINE = Machine(
    device="cpu", name="x", threads=2, rates={"float32": 3e11, "bfloat16": 1e11}, compiler=False
)


def plan_for(seconds, flops=1e11, text_bytes=5_000_000, **overrides):
    return choose(flops, MACHINE, TextSize(text_bytes), seconds, Wanted.parse(overrides, "plan"))


@given(st.floats(6, 1e6), st.floats(1.1, 100))
def test_more_time_never_gives_a_smaller_model(seconds, factor):
    small, large = plan_for(seconds)[0], plan_for(seconds * factor)[0]
    assert large.depth >= small.depth
    assert large.width >= small.width
    assert large.context >= small.context
    assert large.rows * large.context >= small.rows * small.context


@given(st.floats(1, 1e7), st.integers(2000, 10**11), st.sampled_from(sorted(PRESETS)))
def test_whatever_is_chosen_can_be_built(seconds, text_bytes, preset):
    plan, choices = plan_for(seconds, text_bytes=text_bytes, preset=preset)
    assert plan.config(plan.vocab).parameters() > 0
    assert {choice.name for choice in choices} == set(Plan.model_fields)
    assert all(choice.reason for choice in choices)


def test_of_a_mixture_what_a_token_meets_is_counted():
    sizes = decoder_sizes(width=64, hidden=96)
    dense, mixture = PRESETS["qwen3"](sizes), PRESETS["qwen3-moe"](sizes)
    router = 2 * 8 * 64
    assert mixture.active() == dense.parameters() + router == dense.active() + router
    assert mixture.parameters() == dense.parameters() + router + 2 * 3 * 3 * 64 * 96
    assert flops_per_token(mixture) == flops_per_token(dense) + 6 * router


def test_a_character_that_the_text_is_full_of_has_a_token():
    def vocab(text, **overrides):
        wanted = Wanted.parse(overrides, "plan")
        plan, choices = choose(1e11, MACHINE, text, 200, wanted)
        return plan.vocab, next(c.reason for c in choices if c.name == "vocab")

    english, _ = vocab(TextSize(1_800_000, 0))
    assert english == 2048 == vocab(TextSize(1_800_000, 90))[0]
    chinese, reason = vocab(TextSize(1_800_000, 2500))
    assert chinese == 4096 and "2,500 characters" in reason
    assert vocab(TextSize(150_000, 2500))[0] == 1024  # too little text to learn so many
    assert vocab(TextSize(1_800_000, 2500), vocab=1500) == (1500, "as asked for")
    pairs, choices = choose_pairs("lstm", 1e11, TextSize(1_800_000, 2500), 200, WantedPairs())
    assert pairs.vocab == 4095 and any("characters" in choice.reason for choice in choices)


def test_frequent_characters_are_those_that_nearly_all_is_written_in():
    assert frequent_characters(["plain words " * 50, "naïve — 春 眠"]) == 0
    assert frequent_characters(["春眠不覺曉處處聞啼鳥"] * 9) == 9  # one of them twice
    assert frequent_characters(["春" * 97 + "眠不覺"]) == 1
    assert frequent_characters([]) == 0


def test_the_users_word_wins():
    plan, choices = plan_for(300, depth=7, width=96, heads=3, vocab=999, context=64, rows=2)
    assert (plan.depth, plan.width, plan.heads, plan.vocab) == (7, 96, 3, 999)
    assert (plan.context, plan.rows, plan.micro_rows) == (64, 2, 2)
    assert [c.reason for c in choices if c.name == "depth"] == ["as asked for"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"preset": "qwen4"}, "Unknown preset 'qwen4'. Did you mean 'qwen3'"),
        ({"width": 100, "heads": 3}, "width 100 does not divide into 3 heads"),
        ({"depth": 0}, "plan: depth = 0"),
        ({"widht": 8}, "unknown key 'widht'. Did you mean 'width'"),
        ({"rows": "many"}, "rows = 'many'"),
    ],
)
def test_what_cannot_be_is_named(overrides, message):
    with pytest.raises(UsageError, match=message):
        plan_for(300, **overrides)


def test_a_model_to_go_on_from_bounds_the_context():
    there = Wanted(vocab=999, depth=2, width=64, heads=1, hidden=64)
    plan, _ = choose(1e11, MACHINE, TextSize(10**7), 300, Wanted(), there, longest=48)
    assert (plan.width, plan.context) == (64, 48)
    with pytest.raises(UsageError, match="sees 48 tokens; 64 is too long"):
        choose(1e11, MACHINE, TextSize(10**7), 300, Wanted(context=64), there, longest=48)


PAIRS = {"transformer", "lstm", "lstm-attention"}


@given(st.floats(1, 1e6), st.integers(2000, 10**10), st.sampled_from(sorted(PAIRS)))
def test_whatever_translator_is_chosen_can_be_built(seconds, text_bytes, family):
    plan, choices = choose_pairs(family, 1e11, TextSize(text_bytes), seconds, WantedPairs())
    assert plan.config(family, plan.vocab).parameters() > 0
    assert {choice.name for choice in choices} == set(PairPlan.model_fields)
    more, _ = choose_pairs(family, 1e11, TextSize(text_bytes), 2 * seconds, WantedPairs())
    assert more.depth >= plan.depth and more.width >= plan.width and more.tokens >= plan.tokens


@given(st.floats(1, 1e6), st.integers(7, 300), st.sampled_from((1, 3)))
def test_whatever_image_model_is_chosen_can_be_built(seconds, size, channels):
    plan, choices = choose_images(1e11, (size, size, channels), seconds, WantedImages())
    config = plan.config(size, channels, ("one", "other"))
    assert config.parameters() > 0 and config.context <= 65
    assert {choice.name for choice in choices} == set(ImagePlan.model_fields)
    more, _ = choose_images(1e11, (size, size, channels), 2 * seconds, WantedImages())
    assert more.depth >= plan.depth and more.width >= plan.width


def test_the_users_word_wins_with_pairs_and_images():
    plan, choices = choose_pairs("lstm", 1e11, TextSize(10**6), 60, WantedPairs(width=96, heads=3))
    assert (plan.width, plan.heads, plan.hidden) == (96, 3, 192)
    assert {c.name for c in choices if c.reason == "as asked for"} == {"width", "heads"}
    with pytest.raises(UsageError, match="width 96 is not divided by heads 5"):
        choose_images(1e11, (28, 28, 1), 60, WantedImages(width=96, heads=5))


def test_arithmetic_counts_every_matrix():
    plan, _ = plan_for(300, context=1)
    config = plan.config(plan.vocab)
    matrices = (
        config.stack.parameters(plan.width) - plan.depth * (2 * plan.width + 128) - plan.width
    )
    expected = 6 * (matrices + plan.vocab * plan.width)
    assert flops_per_token(config) == pytest.approx(expected, rel=0.01)


def test_the_probe_measures_something():
    assert probe_speed(MACHINE) > 1e8


@pytest.mark.parametrize("measure", MEASURES)
def test_a_run_that_is_shorter_than_its_rehearsal_has_an_interval_too(measure):
    rehearsal = Rehearsal(8, 400, 2.5, 0.1, False, "")
    found = forecast(
        rehearsal,
        measure,
        Fall(0.1, 0.2, 0.3),
        steps=1,
        epochs=1.0,
        seconds=1.0,
        ending_s=0.0,
        disk_bytes=1,
    )
    assert found.low < found.score < found.high


@pytest.mark.parametrize("measure", MEASURES)
def test_the_interval_widens_with_the_distance(measure):
    rehearsal = Rehearsal(50, 400, 2.5, 0.1, False, "")
    found = [
        forecast(
            rehearsal,
            measure,
            Fall(0.1, 0.2, 0.3),
            steps=steps,
            epochs=1.0,
            seconds=1.0,
            ending_s=0.0,
            disk_bytes=1,
        )
        for steps in (50, 100, 1000)
    ]
    assert found[0].score == pytest.approx(2.5)
    assert [f.targets for f in found] == [400, 800, 8000]
    assert all(f.low < f.score < f.high for f in found)
    widths = [math.log(f.high / f.low) for f in found]
    assert widths == sorted(widths)
    assert found[2].score < found[1].score < found[0].score


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [(False, "you said no"), (None, "no C\\+\\+ compiler"), (True, "no C\\+\\+")],
)
def test_rehearsal_trains_to_an_end_and_says_why_it_does_not_compile(start, wanted, reason):
    _, batches, loop = start()
    steps = []

    def fresh():
        made, _, _ = start()
        steps.append(made)
        return made

    class Learned(Problem):
        measure, targets = "bits_per_byte", "targets"
        objective, model = staticmethod(next_token), None
        begin = staticmethod(fresh)
        score = staticmethod(lambda: {"bits_per_byte": 3.0})
        said = resize = None

    problem = Learned()
    problem.batches, problem.loop = batches, loop
    found = rehearse(problem, MACHINE, None, 320, wanted)
    assert not found.compiled
    assert re.search(reason, found.reason)
    assert found.steps == steps[-1].step >= 8
    assert found.score == 3.0
    assert found.targets == steps[-1].tokens
    assert found.step_s > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own ways
def test_compiled_layers_give_the_same_losses(start):
    from hornbook.training.precision import compile_layers

    state, batches, _ = start()
    with torch.no_grad():
        for weight in state.model.parameters():
            weight.add_(0.05)
    names = list(state.model.state_dict())
    plain = float(next_token(state.model, batches.batch(0))[0].detach())
    compile_layers(state.model.stack)
    assert float(next_token(state.model, batches.batch(0))[0].detach()) == pytest.approx(
        plain, rel=1e-5
    )
    assert list(state.model.state_dict()) == names
