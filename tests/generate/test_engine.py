"""A request's ids are those of `decode` alone: any company, slot, chunks and prefix, any family."""

import functools
import random

import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import decode
from hornbook.generate.engine import Engine, RequestFailed
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
from hornbook.models.presets import gpt2, lfm2, lstm, mamba2, qwen3
from hornbook.models.sizes import DecoderSizes
from tests.tiny import slow

VOCAB, CONTEXT, MOST = 61, 40, 6
FAMILIES = {
    "qwen3": qwen3,
    "gpt2": gpt2,
    "mamba2": mamba2,
    "lfm2": functools.partial(lfm2, attention=(1,)),
    "lstm": lstm,
}
CUTTABLE = {"qwen3", "gpt2"}
STOPS = frozenset({3, 4, 5})
every_family = pytest.mark.parametrize("family", FAMILIES)
SAMPLINGS = (
    SamplingConfig(temperature=0),
    SamplingConfig(seed=5),
    SamplingConfig(temperature=0.7, top_k=20, top_p=0.9, min_p=0.01, seed=6),
)


@functools.cache
def build(family):
    sizes = DecoderSizes(
        vocab=VOCAB, width=16, depth=1 if family == "mamba2" else 2, context=CONTEXT, heads=2,
        kv_heads=1, head=8, hidden=24, tied=False,
    )  # fmt: skip
    model = FAMILIES[family](sizes).build(seed=2).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


@functools.cache
def alone(family, prompt, sampling, most):
    """What `decode` gives for one prompt: (ids, why it ended)."""
    config = sampling.model_copy(update={"max_tokens": most})
    steps = list(decode(build(family), [prompt], config, STOPS))
    return [step.id for step in steps], steps[-1].finished


@functools.cache
def requests(family):
    """What the random schedules ask for: conversations of up to three turns, and odd lengths.

    Each: a prompt, how it is continued and by how much.
    """
    chance = random.Random(1)
    found = []
    for talk in range(12):
        sampling = SAMPLINGS[talk % len(SAMPLINGS)]
        prompt = tuple(chance.choices(range(VOCAB), k=chance.choice((1, 2, 5, 9, 14))))
        for _ in range(3):
            most = chance.randint(1, MOST)
            found.append((prompt, sampling, most))
            answer, _ = alone(family, prompt, sampling, most)
            prompt = (*prompt, *answer, *chance.choices(range(VOCAB), k=chance.randint(1, 4)))
    for size in (CONTEXT - 1, CONTEXT - 3):  # ends when the context is full
        found.append((tuple(chance.choices(range(VOCAB), k=size)), SAMPLINGS[0], MOST))
    return found


def ask(prompt, sampling, most, constraint=None):
    config = sampling.model_copy(update={"max_tokens": most})
    return GenerationRequest(prompt, config, STOPS, constraint)


def run(engine, chosen=()):
    """Submit and run to the end: by handle, ids and why they ended."""
    found = {engine.submit(ask(*one)): ([], None) for one in chosen}
    for token in engine.run():
        ids, _ = found.get(token.handle, ([], None))
        found[token.handle] = ([*ids, token.id], token.finished)
    return found


def play(engine, family, chance):
    """One random schedule: arrivals, cancellations and turns; how many tokens were compared."""
    waiting = chance.choices(requests(family), k=chance.randint(2, 5))
    sent, found, cancelled = {}, {}, set()
    while waiting or not engine.idle:
        while waiting and (engine.idle or chance.random() < 0.4):
            one = waiting.pop()
            sent[engine.submit(ask(*one))] = one
        if chance.random() < 0.05:
            handle = chance.choice(list(sent))
            if engine.cancel(handle):
                cancelled.add(handle)
        for token in engine.step():
            assert token.handle not in cancelled
            ids, finished = found.setdefault(token.handle, ([], None))
            assert finished is None
            found[token.handle] = ([*ids, token.id], token.finished)
    for handle, one in sent.items():
        ids, finished = found.get(handle, ([], None))
        expected = alone(family, *one)
        if handle in cancelled:
            expected = expected[0][: len(ids)], None
        assert (ids, finished) == expected
    return sum(len(ids) for ids, _ in found.values())


@pytest.mark.parametrize("family", ["qwen3", *slow("mamba2", "gpt2", "lfm2", "lstm")])
def test_fifty_random_schedules_give_what_each_request_gives_alone(family):
    """250 over the families. An engine serves ten, so that slots hold what others left."""
    compared = reused = 0
    for seed in range(5):
        chance = random.Random(seed)
        slots = chance.randint(1, 4)
        config = SchedulerConfig(
            slots=slots,
            step_tokens=slots + chance.choice((0, 1, 3, 9, 60)),
            kept=2 * (seed == 3),
            kept_tokens=60 if seed == 4 else None,
        )
        engine = Engine(build(family), config)
        for _ in range(10):
            compared += play(engine, family, chance)
        reused += engine.reused_tokens
    assert compared > 250
    assert reused > 50


@pytest.mark.parametrize("family", sorted(CUTTABLE))
def test_a_beginning_that_others_hold_or_read_is_copied(family):
    """Of a running request, of one that is done, and of one that is read just now."""
    begin = tuple(range(20, 40))
    engine = Engine(build(family), SchedulerConfig(slots=3, step_tokens=8, kept=1))
    asked = [((*begin, n), SAMPLINGS[n % 3], 4) for n in range(3)]
    found = run(engine, asked)
    assert [found[handle] for handle in found] == [alone(family, *one) for one in asked]
    assert engine.prompt_tokens == len(begin) + 3
    assert engine.reused_tokens == 2 * len(begin)
    last = ((*begin, 9), SAMPLINGS[1], 4)
    (handle,) = (found := run(engine, [last]))
    assert found[handle] == alone(family, *last)
    assert engine.prompt_tokens == len(begin) + 4


@every_family
def test_the_next_turn_computes_only_what_is_new(family):
    engine = Engine(build(family), SchedulerConfig(slots=2, step_tokens=16))
    prompt = (7, 8, 9, 10, 11, 12)
    (handle,) = (found := run(engine, [(prompt, SAMPLINGS[0], 4)]))
    answer = found[handle][0]
    assert (engine.prompt_tokens, engine.reused_tokens) == (6, 0)
    run(engine, [((20, 21), SAMPLINGS[0], 4)])
    following = (*prompt, *answer, 13, 14)
    before = engine.prompt_tokens
    (handle,) = (found := run(engine, [(following, SAMPLINGS[1], 4)]))
    assert found[handle] == alone(family, following, SAMPLINGS[1], 4)
    assert engine.prompt_tokens - before == 3  # the answer's last token was never computed
    assert engine.reused_tokens == len(following) - 3


@every_family
def test_attention_goes_back_to_where_a_conversation_changed(family):
    """A recurrence begins again, and so does a model with one in some layers."""
    engine = Engine(build(family), SchedulerConfig(slots=1, step_tokens=16))
    run(engine, [((7, 8, 9, 10, 11, 12), SAMPLINGS[0], 1)])
    changed = (7, 8, 9, 10, 30, 31)
    (handle,) = (found := run(engine, [(changed, SAMPLINGS[0], 4)]))
    assert found[handle] == alone(family, changed, SAMPLINGS[0], 4)
    kept = 4 if family in CUTTABLE else 0
    assert (engine.prompt_tokens, engine.reused_tokens) == (12 - kept, kept)


@every_family
def test_a_cancelled_request_frees_its_slot_at_once(family):
    engine = Engine(build(family), SchedulerConfig(slots=1, step_tokens=4))
    long, short = (tuple(range(10, 40)), SAMPLINGS[0], 4), ((7, 8, 9), SAMPLINGS[1], 4)
    first, second = engine.submit(ask(*long)), engine.submit(ask(*short))
    assert engine.step() == []
    assert engine.cancel(first)
    assert not engine.cancel(first)
    ((handle, *_),) = engine.step()
    assert handle == second
    rest = [token.id for token in engine.run()]
    assert rest == alone(family, *short)[0][1:]
    third = engine.submit(ask(*long))
    assert engine.cancel(third)  # still in the queue
    assert engine.idle
    assert engine.step() == []


def test_equal_logits_are_equal_in_any_company():
    """Every token has a twin with the same vector in the head; the first of the two is taken.

    A product of one row and one of many round differently, and by column.
    """
    model = qwen3(
        DecoderSizes(
            vocab=VOCAB, width=24, depth=1, context=CONTEXT, heads=2, kv_heads=2, head=12,
            hidden=24, tied=False,
        )
    ).build(seed=1).eval().requires_grad_(False)  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    model.head.weight[VOCAB // 2 + 1 :] = model.head.weight[1 : VOCAB // 2 + 1]
    config = SamplingConfig(temperature=0, max_tokens=20)
    chance = random.Random(0)
    prompts = [tuple(chance.choices(range(VOCAB), k=5)) for _ in range(8)]
    engine = Engine(model, SchedulerConfig(slots=8, step_tokens=64))
    handles = {engine.submit(GenerationRequest(prompt, config)): prompt for prompt in prompts}
    found = {handle: [] for handle in handles}
    for token in engine.run():
        found[token.handle].append(token.id)
    for handle, prompt in handles.items():
        steps = decode(model, [prompt], config, frozenset())
        assert found[handle] == [step.id for step in steps]
        assert max(found[handle]) <= VOCAB // 2


class Even:
    """Allows even ids, then only the end; fails at the `fails`-th."""

    def __init__(self, fails=99):
        self.seen, self.fails = [], fails

    def allowed(self):
        if not self.seen:
            return None
        ids = np.arange(VOCAB)
        return (ids % 2 == 0) & (ids != 4) if len(self.seen) < 4 else ids == 5

    def advance(self, id):
        self.seen.append(id)
        if len(self.seen) == self.fails:
            raise HornbookError("The rule cannot be followed.")


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_constraint_is_asked_before_and_told_after(sampling):
    engine, limit = Engine(build("qwen3")), Even()
    other = ((8, 9), sampling, MOST)
    free = engine.submit(ask(*other))
    bound = engine.submit(ask((7, 8, 9), sampling, 20, limit))
    found = run(engine)
    assert found[free] == alone("qwen3", *other)
    ids, finished = found[bound]
    assert (ids[-1], len(ids), finished) == (5, 5, "stop")
    assert all(id % 2 == 0 for id in ids[1:-1])
    assert limit.seen == ids[:-1]  # not of the last


def test_a_constraint_that_fails_ends_its_own_request_only():
    engine = Engine(build("gpt2"))
    one, two = ((8, 9), SAMPLINGS[0], MOST), ((10, 11, 12), SAMPLINGS[1], MOST)
    first = engine.submit(ask(*one))
    broken = engine.submit(ask((7, 8, 9), SAMPLINGS[0], 20, Even(fails=2)))
    last = engine.submit(ask(*two))
    engine.step()
    with pytest.raises(RequestFailed, match="cannot be followed") as failed:
        engine.step()
    assert failed.value.handle == broken
    assert not engine.cancel(broken)
    found = run(engine)
    assert found.keys() == {first, last}
    assert found[first] == (alone("gpt2", *one)[0][1:], alone("gpt2", *one)[1])
    assert found[last] == (alone("gpt2", *two)[0][1:], alone("gpt2", *two)[1])


def test_all_that_fail_in_one_step_are_named():
    engine = Engine(build("gpt2"))
    one = ((8, 9), SAMPLINGS[0], MOST)
    broken = [engine.submit(ask((n, 8), SAMPLINGS[0], 20, Even(fails=1))) for n in (1, 2)]
    kept = engine.submit(ask(*one))
    failed = []
    for _ in broken:
        with pytest.raises(RequestFailed) as error:
            engine.step()
        failed.append(error.value.handle)
    assert failed == broken
    assert run(engine) == {kept: alone("gpt2", *one)}


def test_it_begins_anew_with_nothing_left():
    engine = Engine(build("qwen3"), SchedulerConfig(slots=2, step_tokens=8))
    one = ((7, 8, 9), SAMPLINGS[1], MOST)
    engine.submit(ask(*one))
    engine.step()
    engine.restart()
    assert engine.idle
    (handle,) = (found := run(engine, [one]))
    assert found[handle] == alone("qwen3", *one)
    assert engine.reused_tokens == 0


def test_mistakes_are_named_before_any_work():
    engine = Engine(build("qwen3"), capacity=20)
    with pytest.raises(HornbookError, match="0 tokens: there is nothing"):
        engine.submit(ask((), SAMPLINGS[0], 3))
    with pytest.raises(HornbookError, match="20 tokens; this model takes 1 to 19"):
        engine.submit(ask((1,) * 20, SAMPLINGS[0], 3))
    assert engine.idle
    (handle,) = (found := run(engine, [((7,) * 18, SAMPLINGS[1], 9)]))
    ids, finished = found[handle]
    assert finished in ("context", "stop")
    assert ids == alone("qwen3", (7,) * 18, SAMPLINGS[1], 9)[0][:2]
