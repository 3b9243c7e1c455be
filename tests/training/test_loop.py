"""The loop: reproducible to the bit, resumable to the bit, and it stops when numbers break."""

import os
import shutil
import signal
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.errors import HornbookError, Interrupted
from hornbook.training import checkpoint, pace
from hornbook.training.checkpoint import load_checkpoint, save_checkpoint
from hornbook.training.forecast import part_of_step
from hornbook.training.hooks import StopRequest, every, stop_when
from hornbook.training.loop import Diverged, train
from hornbook.training.objective import next_token
from hornbook.training.pace import Pace, Threads
from hornbook.training.schedule import Cut, ScheduleConfig
from tests.clock import set_clock
from tests.tiny import slow


def losses_of(state, batches, loop, steps=None):
    found = []
    config = loop if steps is None else loop.model_copy(update={"steps": steps})
    train(state, next_token, batches, config, [lambda s: found.append(s.loss)])
    return found


def weights(state):
    return {name: weight.detach().clone() for name, weight in state.model.named_parameters()}


@pytest.mark.parametrize(
    ("stop", "dtype"),
    [
        *((1, "float32"), (9, "float32"), (4, "bfloat16")),
        *slow((4, "float32"), (1, "bfloat16"), (9, "bfloat16")),
    ],
)
def test_resume_gives_the_same_bits(start, tmp_path, dtype, stop):
    state, batches, loop = start(dtype=dtype)
    straight = losses_of(state, batches, loop)
    expected = weights(state)

    state, batches, loop = start(dtype=dtype)
    hook = every(stop, -1, lambda s: save_checkpoint(tmp_path, s) if s.step == stop else None)
    train(state, next_token, batches, loop, [hook])

    state, batches, loop = start(dtype=dtype)
    load_checkpoint(tmp_path, state, print)
    assert (state.step, state.tokens) == (stop, stop * 64)
    assert losses_of(state, batches, loop) == straight[stop:]
    for name, weight in weights(state).items():
        assert torch.equal(weight, expected[name]), name


def test_stops_at_the_first_broken_step_with_the_weights_untouched(start):
    state, batches, loop = start()
    calls = []

    def breaking(model, batch):
        loss, count = next_token(model, batch)
        calls.append(count)
        return (loss * float("nan"), count) if len(calls) == 3 else (loss, count)

    before = {}
    with pytest.raises(Diverged, match=r"Step 3 is not finite.*lower the learning rates"):
        train(state, breaking, batches, loop, [lambda s: before.update(weights(s))])
    assert state.step == 2
    for name, weight in weights(state).items():
        assert torch.equal(weight, before[name])


def test_hooks_see_every_step(start):
    state, batches, loop = start(steps=7)
    seen, third = [], []
    hooks = [lambda s: seen.append(s.step), every(3, 7, lambda s: third.append(s.step))]
    train(state, next_token, batches, loop, hooks)
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert third == [3, 6, 7]


def test_a_signal_saves_and_leaves(start, tmp_path):
    state, batches, loop = start()
    request = StopRequest()

    def interrupt(state):
        if state.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    hooks = [interrupt, stop_when(request, lambda s: save_checkpoint(tmp_path, s), "again")]
    with request.listening(), pytest.raises(Interrupted, match="Stopped at step 4"):
        train(state, next_token, batches, loop, hooks)
    again, _, _ = start()
    load_checkpoint(tmp_path, again, print)
    assert again.step == 4


def test_keeps_the_newest_checkpoints(start, tmp_path):
    state, batches, loop = start(steps=6)
    train(state, next_token, batches, loop, [lambda s: save_checkpoint(tmp_path, s)])
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["step-00000005", "step-00000006"][-checkpoint.KEPT :]


def test_a_damaged_checkpoint_is_named(start, tmp_path):
    state, _, _ = start()
    folder = save_checkpoint(tmp_path, state)
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(HornbookError, match=r"step-00000000 is damaged.*No checkpoint is left"):
        load_checkpoint(tmp_path, state, print)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimiser.safetensors", "state.json", "stage.json"]
)
def test_a_flipped_bit_costs_one_checkpoint(start, tmp_path, name):
    state, batches, loop = start(steps=4)
    train(state, next_token, batches, loop, [lambda s: save_checkpoint(tmp_path, s)])
    file, said = tmp_path / "step-00000004" / name, []
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 16
    file.write_bytes(data)
    again, _, _ = start(steps=4)
    assert load_checkpoint(tmp_path, again, said.append) and again.step == 3
    assert len(said) == 1 and "step-00000004 is damaged: " in said[0]
    train(again, next_token, batches, loop, [lambda s: save_checkpoint(tmp_path, s)])
    assert all(map(torch.equal, again.model.parameters(), state.model.parameters()))


@pytest.mark.parametrize("which", ["weights", "moments"])
def test_a_checkpoint_of_no_numbers_is_passed_over(start, tmp_path, which):
    state, batches, loop = start(steps=4)
    train(state, next_token, batches, loop, [lambda s: save_checkpoint(tmp_path, s)])
    again, _, _ = start(steps=4)
    broken, said = next(state.model.parameters()), []
    with torch.no_grad():
        if which == "moments":
            broken = next(iter(state.optimiser.state().values()))
        broken[0] = torch.inf
    shutil.rmtree(tmp_path / "step-00000004")
    save_checkpoint(tmp_path, state)
    assert load_checkpoint(tmp_path, again, said.append) and again.step == 3
    assert "NaN or infinite weights" in said[0] and "safetensors: " in said[0]


def test_no_checkpoint_is_whole(start, tmp_path):
    state, batches, loop = start(steps=4)
    train(state, next_token, batches, loop, [lambda s: save_checkpoint(tmp_path, s)])
    for file in tmp_path.glob("step-*/optimiser.safetensors"):
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    before = [weight.clone() for weight in state.model.parameters()]
    with pytest.raises(HornbookError, match=r"0004 is damaged: optim.*0003 is damaged: optim"):
        load_checkpoint(tmp_path, state, print)
    assert all(map(torch.equal, before, state.model.parameters()))


def test_nothing_to_resume(start, tmp_path):
    assert not load_checkpoint(tmp_path, start()[0], print)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_schedule_rises_and_falls(steps):
    factors = [ScheduleConfig().factor(step, steps) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert steps < 10 or (max(factors) == 1 and factors[-1] <= 0.25)


@pytest.mark.parametrize("at", [5, 30, 70, 95])
@pytest.mark.parametrize("ends", [0, 1, 5, 20])
def test_a_cut_run_falls_to_its_new_end_without_a_jump(at, ends):
    schedule, cuts = ScheduleConfig(warmup=0.02, cooldown=0.6), [Cut(at, min(99, at + ends))]
    steps = cuts[0].steps
    factors = [schedule.factor(step, 100, cuts[step < at :]) for step in range(steps)]
    assert factors[:at] == [schedule.factor(step, 100) for step in range(at)]
    rest = factors[at:]
    assert all(0 < factor <= 1 for factor in rest)
    assert rest == sorted(rest, reverse=True)
    assert not rest or rest[0] <= schedule.factor(at, 100)
    assert len(rest) < 3 or rest[-1] == pytest.approx(rest[-2] / 2)  # straight to zero


def test_a_second_cut_goes_on_from_the_first():
    schedule, cuts = ScheduleConfig(cooldown=0.6), [Cut(50, 80), Cut(70, 75)]
    first = [schedule.factor(step, 100, cuts[:1]) for step in range(70)]
    rest = [schedule.factor(step, 100, cuts) for step in range(70, 75)]
    assert rest[0] == pytest.approx(schedule.factor(70, 100, cuts[:1]))
    assert rest[0] < first[-1]
    assert rest == sorted(rest, reverse=True)


class SlowClock:
    """A step takes a second, and from step `at` on ten."""

    def __init__(self, monkeypatch, at):
        self.now, self.at = 0.0, at
        set_clock(monkeypatch, lambda: self.now)

    def __call__(self, state):
        self.now += 1 if state.step <= self.at else 10


@pytest.mark.parametrize("at", [0, 10, 33])
def test_a_run_on_a_machine_that_slows_down_ends_in_time(start, tmp_path, monkeypatch, at):
    state, batches, loop = start(steps=40)
    slow, said = SlowClock(monkeypatch, at), []

    def saved(state, step_s):
        save_checkpoint(tmp_path, state)
        said.append((state.cuts[-1], step_s))

    clock = Clock.start(40 / 60)
    hooks = [slow, Pace(clock, 40, state, saved)]
    train(state, next_token, batches, loop, hooks)
    assert at <= state.step < 40
    assert clock.used_s() <= 1.25 * 40
    assert said
    assert said[-1][1] > 1
    again, _, _ = start(steps=40)
    load_checkpoint(tmp_path, again, print)
    assert again.cuts == [cut for cut, _ in said]
    train(again, next_token, batches, loop, [slow])  # the cuts alone say where it ends
    assert again.step == state.step
    for name, weight in weights(again).items():
        assert torch.equal(weight, weights(state)[name]), name


def test_a_run_that_keeps_time_is_not_cut(start, monkeypatch):
    state, batches, loop = start(steps=40)
    slow = SlowClock(monkeypatch, at=100)
    train(state, next_token, batches, loop, [slow, Pace(Clock.start(38 / 60), 40, state, None)])
    assert (state.step, state.cuts) == (40, [])
    state, batches, loop = start(steps=5)
    train(state, next_token, batches, loop, [slow, Pace(NO_LIMIT, 5, state, None)])
    assert (state.step, state.cuts) == (5, [])


def test_a_change_of_threads_is_in_the_checkpoint_and_moves_no_bit_by_being_tried(
    start, tmp_path, monkeypatch
):
    state, batches, loop = start(steps=20)
    straight = losses_of(state, batches, loop)

    state, batches, loop = start(steps=20)
    slow, tried = SlowClock(monkeypatch, at=100), []

    def faster(work, most, rounds, most_s):
        work()
        tried.append(state.step)
        return 1 if len(tried) == 1 else 2

    monkeypatch.setattr(pace, "faster", faster)
    problem = SimpleNamespace(objective=next_token, batches=batches, loop=loop)
    work = partial(part_of_step, problem)
    saved = lambda state: save_checkpoint(tmp_path, state)  # noqa: E731
    found: list[float] = []
    hooks = [
        lambda s: found.append(s.loss), slow, Pace(NO_LIMIT, 20, state, None),
        Threads(Clock.start(20 / 60), 2, 2, work, saved),
    ]  # fmt: skip
    train(state, next_token, batches, loop, hooks)
    assert found == straight
    assert tried == [7, 14]
    assert state.threads == [(7, 1), (14, 2)]
    again, _, _ = start(steps=20)
    load_checkpoint(tmp_path, again, print)
    assert again.threads == state.threads
