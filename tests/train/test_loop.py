"""The loop: reproducible to the bit, resumable to the bit, and it stops when numbers break."""

import os
import signal

import pytest
import torch

from hornbook.core.errors import HornbookError, Interrupted
from hornbook.train import checkpoint
from hornbook.train.checkpoint import load_checkpoint, save_checkpoint
from hornbook.train.hooks import StopRequest, every, stop_when
from hornbook.train.loop import Diverged, train
from hornbook.train.objective import next_token
from hornbook.train.schedule import ScheduleConfig

GOLDEN = [
    3.4133, 3.4216, 3.4022, 3.3842, 3.4017, 3.3963, 3.4159, 3.4093, 3.383, 3.428,
    3.4125, 3.4168, 3.3933, 3.4184, 3.4061, 3.4144, 3.3694, 3.3725, 3.3579, 3.3557,
]  # fmt: skip


def losses_of(state, batches, loop, steps=None):
    found = []
    config = loop if steps is None else loop.model_copy(update={"steps": steps})
    train(state, next_token, batches, config, [lambda s: found.append(s.loss)])
    return found


def weights(state):
    return {name: weight.detach().clone() for name, weight in state.model.named_parameters()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("stop", [1, 4, 9])
def test_resume_gives_the_same_bits(start, tmp_path, dtype, stop):
    state, batches, loop = start(dtype=dtype)
    straight = losses_of(state, batches, loop)
    expected = weights(state)

    state, batches, loop = start(dtype=dtype)
    hook = every(stop, -1, lambda s: save_checkpoint(tmp_path, s) if s.step == stop else None)
    train(state, next_token, batches, loop, [hook])

    state, batches, loop = start(dtype=dtype)
    load_checkpoint(tmp_path, state)
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
    load_checkpoint(tmp_path, again)
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
    with pytest.raises(HornbookError, match=r"step-00000000 is damaged.*Delete it"):
        load_checkpoint(tmp_path, state)


def test_nothing_to_resume(start, tmp_path):
    assert not load_checkpoint(tmp_path, start()[0])


def test_learns_and_follows_the_golden_curve(start):
    """Moves when the algorithm does: 0.002 is far above what other CPUs' sums differ by."""
    state, batches, loop = start(steps=20)
    assert losses_of(state, batches, loop) == pytest.approx(GOLDEN, abs=0.002)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_schedule_rises_and_falls(steps):
    factors = [ScheduleConfig().factor(step, steps) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert steps < 10 or (max(factors) == 1 and factors[-1] <= 0.25)
