"""The rules of the schedule, without a model: order, budget, nobody waits forever, what is kept."""

import math
import random
from types import SimpleNamespace

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.scheduler import GenerationRequest, Scheduler, SchedulerConfig, finish_reason

ROOM = 200


def request(prompt, most=10):
    return GenerationRequest(prompt, SimpleNamespace(max_tokens=most))


def scheduler(slots=2, step_tokens=8, capacity=ROOM, cuttable=True, **other):
    config = SchedulerConfig(slots=slots, step_tokens=step_tokens, **other)
    return Scheduler(config, capacity, cuttable)


def go(planner):
    """One step, every token a 7; the plan and the slots that were done."""
    plan = planner.plan()
    slots = [*plan.decode, *(chunk.slot for chunk in plan.chunks if chunk.last)]
    return plan, [slot for slot in slots if planner.accept(slot, 7)]


def finish_all(planner):
    while not planner.idle:
        go(planner)


def read(plan):
    return [(chunk.slot, len(chunk.ids), chunk.last) for chunk in plan.chunks]


def test_streams_write_while_a_long_prompt_is_read():
    planner = scheduler(slots=2, step_tokens=8)
    planner.submit(request([1, 2, 3]))
    planner.submit(request(list(range(20))))
    assert read(go(planner)[0]) == [(0, 3, True), (1, 5, False)]
    for count, last in ((7, False), (7, False), (1, True)):
        plan, _ = go(planner)
        assert plan.decode == {0: 7}
        assert read(plan) == [(1, count, last)]
    assert go(planner)[0].decode == {0: 7, 1: 7}


def test_prompts_are_read_in_turn():
    planner = scheduler(slots=3, step_tokens=4)
    for size in (9, 5, 2):
        planner.submit(request([size] * size))
    parts = [read(go(planner)[0]) for _ in range(5)]
    assert parts == [
        [(0, 4, False)],
        [(1, 4, False)],
        [(2, 2, True), (0, 2, False)],
        [(1, 1, True), (0, 2, False)],
        [(0, 1, True)],
    ]


def bound(prompt, slots, step_tokens):
    """Steps within which a prompt is read, as the scheduler promises."""
    return slots * (math.ceil(prompt / (step_tokens - slots + 1)) + slots - 1)


class Watch:
    """Runs a random schedule and holds every step against the rules."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.slots = self.random.randint(1, 5)
        self.tokens = self.slots + self.random.randint(0, 12)
        self.planner = scheduler(
            self.slots,
            self.tokens,
            cuttable=self.random.random() < 0.5,
            kept=self.random.choice((0, 2)),
            kept_tokens=self.random.choice((None, 30)),
        )
        self.sent, self.admitted, self.cancelled, self.done = {}, {}, set(), set()
        self.writing, self.owner, self.step = {}, {}, 0

    def run(self):
        while len(self.sent) < 30 or not self.planner.idle:
            for _ in range(self.random.choice((0, 0, 1, 4)) if len(self.sent) < 30 else 0):
                prompt = [self.random.randrange(3) for _ in range(self.random.randint(1, 60))]
                new = request(prompt, self.random.randint(1, 12))
                self.sent[self.planner.submit(new)] = new
            if self.sent and self.random.random() < 0.1:
                self.cancel(self.random.choice(list(self.sent)))
            self.check(*go(self.planner))
        assert self.done == self.sent.keys() - self.cancelled
        assert list(self.admitted) == sorted(self.admitted)

    def cancel(self, handle):
        gone = handle in self.cancelled or handle in self.done
        assert self.planner.cancel(handle) != gone
        if not gone:
            self.cancelled.add(handle)
            mine = [slot for slot, owner in self.owner.items() if owner == handle]
            for slot in mine:
                del self.owner[slot]
                self.writing.pop(slot, None)

    def check(self, plan, done):
        self.step += 1
        assert plan.tokens <= self.tokens
        assert plan.decode.keys() == self.writing.keys()  # every stream, every step
        for slot, handle, admitted, kept in plan.admitted:
            assert slot not in self.owner
            assert admitted is self.sent[handle]
            assert 0 <= kept < len(admitted.prompt)
            self.owner[slot], self.admitted[handle] = handle, self.step
        waiting = self.sent.keys() - self.admitted.keys() - self.cancelled
        assert len(self.owner) == self.slots or not waiting
        for slot in plan.decode:
            self.writing[slot] += 1
        for chunk in plan.chunks:
            assert chunk.ids
            if chunk.last:
                self.writing[chunk.slot] = 1
        for slot, handle in self.owner.items():
            prompt = len(self.sent[handle].prompt)
            waited = self.step - self.admitted[handle] + 1
            assert slot in self.writing or waited < bound(prompt, self.slots, self.tokens)
        for slot in done:
            handle = self.owner.pop(slot)
            assert self.writing.pop(slot) == self.sent[handle].config.max_tokens
            self.done.add(handle)


@pytest.mark.parametrize("seed", range(60))
def test_any_schedule_keeps_the_rules(seed):
    Watch(seed).run()


def test_a_stream_of_newcomers_does_not_keep_a_request_waiting():
    planner = scheduler(slots=2, step_tokens=2)
    for _ in range(6):
        planner.submit(request([1] * 9, most=3))
    late, slot = planner.submit(request([2] * 30, most=3)), None
    before = 6 * (bound(9, 2, 2) + 3)  # if one after the other had all of the machine
    for step in range(before + bound(30, 2, 2) + 3):
        planner.submit(request([1], most=3))
        plan, done = go(planner)
        for admission in plan.admitted:
            if admission.handle == late:
                slot = admission.slot
                assert step < before
        if slot in done:
            return
    raise AssertionError("it still waits")


def test_a_cancelled_request_leaves_the_queue_or_its_slot():
    planner = scheduler(slots=1, step_tokens=4)
    first, second, third = (planner.submit(request([n] * 6)) for n in range(3))
    go(planner)
    assert planner.cancel(second)
    assert planner.cancel(first)  # in the middle of its prompt
    assert not planner.cancel(first)
    assert not planner.cancel(99)
    plan, _ = go(planner)
    assert [admission.handle for admission in plan.admitted] == [third]
    assert read(plan) == [(0, 4, False)]
    finish_all(planner)
    assert not planner.cancel(third)


def serve(planner, prompt, most=1):
    """Admission of a prompt, which is then answered to the end with sevens."""
    planner.submit(request(prompt, most))
    plan, _ = go(planner)
    finish_all(planner)
    (found,) = plan.admitted
    return found.slot, found.kept


def test_the_next_turn_goes_on_where_the_last_ended():
    for cuttable in (True, False):
        planner = scheduler(slots=3, step_tokens=50, cuttable=cuttable)
        assert serve(planner, [1, 2, 3], most=4) == (0, 0)
        assert serve(planner, [4, 5, 6]) == (1, 0)
        # The fourth 7 was never computed.
        assert serve(planner, [1, 2, 3, 7, 7, 7, 7, 8, 9]) == (0, 6)
        assert serve(planner, [4, 5, 6, 7]) == (1, 3)


def test_only_a_cache_that_can_be_cut_keeps_a_part():
    for cuttable, expected in ((True, 3), (False, 0)):
        planner = scheduler(slots=1, step_tokens=50, cuttable=cuttable)
        serve(planner, [1, 2, 3, 4])
        assert serve(planner, [1, 2, 3, 5, 6]) == (0, expected)


def test_what_another_holds_is_taken_over():
    planner = scheduler(slots=2, step_tokens=4)
    planner.submit(request([1, 2, 3, 4, 5, 6]))
    go(planner)
    planner.submit(request([1, 2, 3, 4, 9]))
    plan, _ = go(planner)
    assert plan.takeovers == [(0, 1, 4, 4)]
    assert read(plan) == [(0, 2, True), (1, 1, True)]


def test_who_reads_the_same_waits_for_it_if_that_pays():
    for saved, expected in ((6, [(0, 4, False)]), (2, [(0, 4, False)])):
        planner = scheduler(slots=2, step_tokens=4)
        for last in (8, 9):
            planner.submit(request([*range(saved), *[last] * (8 - saved)]))
        assert read(go(planner)[0]) == expected
        second, _ = go(planner)
        if saved == 6:  # it waits, and the first goes on
            assert read(second) == [(0, 4, True)]
            third, _ = go(planner)
            assert third.takeovers == [(0, 1, 6, 6)]
            assert read(third) == [(1, 2, True)]
        else:
            assert read(second) == [(1, 4, False)]


def test_who_waits_goes_on_when_the_other_leaves():
    planner = scheduler(slots=2, step_tokens=4)
    first = planner.submit(request([1] * 20))
    planner.submit(request([*[1] * 15, 2]))
    go(planner)
    planner.cancel(first)
    plan, _ = go(planner)
    assert plan.takeovers == [(0, 1, 4, 4)]
    assert read(plan) == [(1, 4, False)]


def test_more_slots_than_are_computed_keep_what_was_read():
    planner = scheduler(slots=1, step_tokens=50, kept=2)
    assert serve(planner, [1, 2, 3]) == (0, 0)
    assert serve(planner, [4, 5, 6]) == (1, 0)
    assert serve(planner, [7, 8, 9]) == (2, 0)
    assert serve(planner, [4, 5, 6, 1]) == (1, 3)
    assert serve(planner, [1, 2, 3, 1]) == (0, 3)
    for n in range(3):
        planner.submit(request([n, n]))
    assert len(go(planner)[0].admitted) == 1  # one at a time all the same


def test_what_is_kept_is_bounded_in_tokens():
    planner = scheduler(slots=1, step_tokens=50, kept=3, kept_tokens=7)
    for n in range(3):
        serve(planner, [n] * 3)
    planner.submit(request([5], most=1))
    plan, _ = go(planner)
    assert plan.forgotten == [0]
    finish_all(planner)
    assert serve(planner, [2, 2, 2, 8]) == (2, 3)


def test_one_token_is_always_left_to_compute():
    planner = scheduler(slots=1, step_tokens=50)
    serve(planner, [1, 2, 3])
    assert serve(planner, [1, 2, 3]) == (0, 2)
    assert serve(planner, [1]) == (0, 0)
    planner = scheduler(slots=1, step_tokens=50, cuttable=False)
    serve(planner, [1, 2, 3])
    assert serve(planner, [1, 2, 3]) == (0, 0)
    planner = scheduler(slots=2, step_tokens=50)
    serve(planner, [1, 2, 3])
    assert serve(planner, [2]) == (1, 0)


def test_the_longest_prefix_wins_and_a_common_beginning_throws_no_conversation_away():
    planner = scheduler(slots=3, step_tokens=100)
    header = [9] * 10
    assert serve(planner, [*header, *range(50)]) == (0, 0)
    assert serve(planner, [*header, *range(19), 60]) == (1, 0)  # of slot 0 it would keep 29 of 60
    assert serve(planner, [*header, 61, 62]) == (2, 0)
    assert serve(planner, [*header, *range(19), 60, 63]) == (1, 30)
    assert serve(planner, [*header, 64, *[65] * 11]) == (2, 10)  # 10 of 12
    assert serve(planner, [80, 81]) == (0, 0)
    assert serve(planner, [*header, 66]) == (1, 10)  # free longest, and it shares the header


def test_what_a_cancelled_prompt_had_read_is_kept():
    planner = scheduler(slots=1, step_tokens=4)
    first = planner.submit(request([1, 2, 3, 4, 5, 6, 7]))
    go(planner)
    planner.cancel(first)
    assert serve(planner, [1, 2, 3, 4, 5, 6, 8]) == (0, 4)


def test_ends():
    assert finish_reason(3, 1, 5, frozenset({3}), True) == "stop"
    assert finish_reason(2, 5, 5, frozenset({3}), True) == "length"
    assert finish_reason(2, 4, 5, frozenset({3}), True) == "context"
    assert finish_reason(2, 4, 5, frozenset({3}), False) is None
    planner = scheduler(slots=1, step_tokens=50, capacity=6)
    planner.submit(request([1, 2, 3], most=50))
    assert sum(1 for _ in iter(lambda: go(planner)[1], [0])) == 2
    assert planner.idle


def test_mistakes_are_named_before_any_work():
    with pytest.raises(HornbookError, match="0 tokens: there is nothing"):
        scheduler().submit(request([]))
    with pytest.raises(HornbookError, match="200 tokens; this model takes 1 to 199"):
        scheduler().submit(request([1] * 200))
    with pytest.raises(UsageError, match="step_tokens = 3 is less than slots = 4"):
        SchedulerConfig.parse({"slots": 4, "step_tokens": 3}, "engine")
