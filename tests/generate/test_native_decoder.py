"""A decoder in our own kernels: the layers' results, whatever a token is computed beside."""

import random

import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.generate import native_decoder
from hornbook.generate.decode import decode
from hornbook.generate.engine import Engine
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.pack import from_weights, pack
from hornbook.models.presets import PRESETS
from hornbook.models.sequences import StateSequences
from tests.levels import each_level  # noqa: F401
from tests.tiny import decoder_sizes, slow

SIZES = decoder_sizes(vocab=96, width=64, context=96, heads=4, head=16, hidden=160, tied=True)
NAMES = ("llama", "qwen2", "qwen3")
pytestmark = pytest.mark.usefixtures("each_level")


def made(name, bits=4, seed=0):
    """A packed model of random weights, and its way through our kernels."""
    model = PRESETS[name](SIZES).build(seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():  # layers begin as the identity
            if weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) / 8)
            else:
                weight.add_(torch.randn(weight.shape, generator=generator) / 4)
    pack(model, from_weights(bits))
    weights = decoder_weights(model)
    assert weights is not None
    return model, NativeDecoder(weights)


def some_ids(count, seed=1):
    return random.Random(seed).choices(range(96), k=count)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_it_computes_what_the_layers_do(name, bits):
    model, decoder = made(name, bits)
    state = model.new_state(3, dtype=torch.float16)
    ours, theirs = decoder.sequences(3), StateSequences(model, state)
    rows = {0: some_ids(40), 1: some_ids(7, seed=2)}
    for part in (slice(0, 5), slice(5, 40)):
        new = {row: ids[part] for row, ids in rows.items()}
        one, other = theirs.go_on(new), ours.go_on(new)
        for row in rows:
            # Rounding decides a code of eight bits now and then.
            assert np.square(one[row] - other[row]).mean() < 1e-4 * np.square(one[row]).mean()
    one, other = theirs.check(1, rows[0][:6]), ours.check(1, rows[0][:6])
    assert one.shape == other.shape == (6, 96)
    assert np.square(one - other).mean() < 1e-4 * np.square(one).mean()


@pytest.mark.parametrize("name", NAMES)
def test_any_chunks_rows_and_threads_give_the_same_bits(name):
    _, decoder = made(name, seed=2)
    ids, draw = some_ids(60), random.Random(3)
    whole = decoder.sequences(1).check(0, ids)
    threads = torch.get_num_threads()
    try:
        for trial in range(12):
            torch.set_num_threads(1 + trial % 3)
            rows = draw.randint(1, 9)
            own = draw.randrange(rows)
            sequences, held, start = decoder.sequences(rows), [0] * rows, 0
            while start < 60:
                stop = draw.randint(start + 1, 60)
                beside = [row for row in range(rows) if row != own and draw.random() < 0.5]
                held[own] = stop
                if draw.random() < 0.3:
                    assert np.array_equal(sequences.check(own, ids[start:stop]), whole[start:stop])
                else:
                    new = {row: some_ids(draw.randint(1, 9), trial) for row in beside}
                    for row in new:
                        held[row] += len(new[row])
                    if max(held) > 96:
                        break
                    new[own] = ids[start:stop]
                    order = draw.sample(sorted(new), len(new))
                    found = sequences.go_on({row: new[row] for row in order})
                    assert np.array_equal(found[own], whole[stop - 1])
                start = stop
    finally:
        torch.set_num_threads(threads)


def test_prompts_longer_than_a_pass_are_read_in_several(monkeypatch):
    _, decoder = made("qwen3", seed=3)
    new = {1: some_ids(50), 0: some_ids(30, seed=2), 2: [5]}
    whole = decoder.sequences(3).go_on(new)
    monkeypatch.setattr(native_decoder, "PASS", 7)
    parts = decoder.sequences(3).go_on(new)
    assert all(np.array_equal(whole[row], parts[row]) for row in new)


def test_what_was_cut_off_leaves_nothing():
    _, decoder = made("llama", seed=6)
    sequences = decoder.sequences(2)
    sequences.go_on({1: some_ids(30)})
    sequences.cut(1, 12)
    rest = some_ids(9, seed=2)
    alone = decoder.sequences(1).check(0, some_ids(30)[:12] + rest)
    assert np.array_equal(sequences.check(1, rest), alone[12:])


def test_a_row_that_would_outgrow_its_room_changes_nothing():
    _, decoder = made("llama")
    sequences = decoder.sequences(2, capacity=10)
    sequences.go_on({0: some_ids(4), 1: some_ids(8)})
    with pytest.raises(HornbookError, match="holds 10 tokens; 11 are needed"):
        sequences.go_on({0: [1], 1: [1, 2, 3]})
    again = decoder.sequences(1).check(0, [*some_ids(4), 1])
    assert np.array_equal(sequences.go_on({0: [1]})[0], again[-1])


def test_a_copy_goes_on_as_what_it_was_copied_of(monkeypatch):
    """Of any length, into a row that held something else, and after memory was given back."""
    monkeypatch.setattr(native_decoder, "_WORTH_GIVING_BACK", 1)
    _, decoder = made("llama")
    ids, sequences = some_ids(50), decoder.sequences(3)
    sequences.go_on({0: ids, 1: some_ids(60, seed=3)})
    expected = decoder.sequences(1).check(0, ids)
    for length in (1, 7, 15, 16, 17, 31, 33, 48, 49):
        sequences.cut(2, 0)
        sequences.copy(0, 2, length)
        assert np.array_equal(sequences.check(2, ids[length:]), expected[length:])
        sequences.cut(1, 1)
        sequences.copy(0, 1, length)
        assert np.array_equal(sequences.go_on({1: ids[length : length + 1]})[1], expected[length])


@pytest.mark.parametrize("schedules", [12, *slow(40)])
def test_an_engine_gives_every_request_the_ids_it_gets_alone(monkeypatch, schedules):
    monkeypatch.setattr(native_decoder, "_WORTH_GIVING_BACK", 1)
    _, decoder = made("llama", seed=4)
    draw = random.Random(5)
    begin = some_ids(20)
    for seed in range(schedules):
        requests = [
            GenerationRequest(
                [*begin[: draw.randint(0, 20)], *some_ids(draw.randint(1, 30), draw.random())],
                SamplingConfig(
                    temperature=draw.choice([0, 0.9]), max_tokens=draw.randint(1, 20), seed=seed
                ),
                frozenset({draw.randrange(96)}),
            )
            for _ in range(draw.randint(1, 7))
        ]
        slots = draw.randint(1, 4)
        config = SchedulerConfig(
            slots=slots, step_tokens=draw.randint(slots, 40), kept=draw.randint(0, 2)
        )
        engine = Engine(decoder, config)
        handles, found = [], {}
        pending = list(requests)
        while pending or not engine.idle:
            if pending and (engine.idle or draw.random() < 0.3):
                handles.append(engine.submit(pending.pop(0)))
            for token in engine.step() if not engine.idle else []:
                found.setdefault(token.handle, []).append(token.id)
        for handle, request in zip(handles, requests, strict=True):
            alone = decode(decoder, [request.prompt], request.config, request.stop_ids)
            assert found[handle] == [step.id for step in alone]
