"""The gated delta rule in our kernels: what the products of torch give, whatever the chunks."""

import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.check_delta import delta_is_right
from hornbook.kernels.delta import DeltaMemory, DeltaRows, delta_rule
from hornbook.kernels.quantised import DeltaSizes, DeltaWeights
from hornbook.nn.contract import State
from hornbook.nn.delta import GatedDelta, GatedDeltaConfig
from tests.tiny import need_kernels

WIDTH, ROOM = 24, 64
SHAPES = {
    "shared": GatedDeltaConfig(heads=4, head=16, key_heads=2, key=32),
    "alone": GatedDeltaConfig(heads=3, head=32, key_heads=3, key=16, kernel=1, epsilon=1e-3),
    "wide": GatedDeltaConfig(heads=2, head=48, key_heads=1, key=48, kernel=6),
}


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    return native.library()


def made(config):
    layer = config.build(WIDTH).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for weight in layer.parameters():
        weight.normal_(0, 0.4, generator=generator)
    return layer


def noise(rows, time):
    return torch.randn(rows, time, WIDTH, generator=torch.Generator().manual_seed(1))


def new_state(layer, rows):
    cache = layer.new_cache(rows, ROOM, torch.zeros(()))
    return State(torch.zeros(rows, dtype=torch.int64), ROOM, [cache])


@torch.inference_mode()
def go_on(layer, x, state, valid=None):
    y = layer(x, state.context(x.shape[1], valid), state.caches[0])
    state.advance(x.shape[1] if valid is None else valid.sum(1))
    return y


def whole(layer, x):
    """By products, which nothing else in this file takes."""
    state = new_state(layer, len(x))
    with torch.enable_grad():
        y = layer(x, state.context(x.shape[1], None), state.caches[0])
    return y.detach(), state


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_what_products_give_in_any_chunks(config):
    layer, x = made(config), noise(2, 40)
    expected, last = whole(layer, x)
    for sizes in ([40], [1] * 40, [17, 1, 22]):
        state = new_state(layer, 2)
        y = torch.cat([go_on(layer, part, state) for part in x.split(sizes, 1)], 1)
        torch.testing.assert_close(y, expected, atol=1e-4, rtol=1e-4)
        for name, kept in state.caches[0].items():
            torch.testing.assert_close(kept, last.caches[0][name], atol=1e-4, rtol=1e-4)


def test_rows_of_unlike_length_leave_each_other_alone(monkeypatch):
    layer, x = made(SHAPES["shared"]), noise(3, 9)
    counts, state = torch.tensor([9, 0, 4]), new_state(layer, 3)
    go_on(layer, x, state)
    before = {name: kept.clone() for name, kept in state.caches[0].items()}
    y = go_on(layer, x, state, torch.arange(9) < counts[:, None])
    for name, kept in state.caches[0].items():
        assert torch.equal(kept[1], before[name][1])
    for row, count in enumerate(counts.tolist()):
        if count:
            expected, last = whole(layer, torch.cat([x[row], x[row, :count]])[None])
            torch.testing.assert_close(y[row, :count], expected[0, 9:], atol=1e-4, rtol=1e-4)
            for name, kept in state.caches[0].items():
                one = last.caches[0][name][0]
                torch.testing.assert_close(kept[row], one, atol=1e-4, rtol=1e-4)


def test_they_are_taken_where_nothing_is_trained_and_only_there(monkeypatch):
    taken = []
    by_kernels = GatedDelta._by_kernels

    def count(*arguments):
        taken.append(1)
        return by_kernels(*arguments)

    monkeypatch.setattr(GatedDelta, "_by_kernels", count)
    layer, x = made(SHAPES["shared"]), noise(1, 5)
    whole(layer, x)
    with torch.inference_mode():  # without a memory, nothing is gone on with
        layer(x, new_state(layer, 1).context(5, None))
    odd = made(GatedDeltaConfig(heads=2, head=6, key_heads=2, key=16))
    go_on(odd, x, new_state(odd, 1))
    short = layer.new_cache(1, ROOM, torch.zeros((), dtype=torch.bfloat16))
    go_on(layer, x, State(torch.zeros(1, dtype=torch.int64), ROOM, [short]))
    assert not taken
    go_on(layer, x, new_state(layer, 1))
    assert taken


def call(**changed):
    sizes = DeltaSizes(heads=2, head=16, key_heads=1, key=16, taps=2, epsilon=1e-6)
    random = np.random.default_rng(0)

    def numbers(*shape):
        return random.normal(0, 1, shape).astype(np.float32)

    arguments = {
        "sizes": sizes,
        "weights": DeltaWeights(numbers(2, 64), numbers(2), numbers(2), numbers(16)),
        "rows": DeltaRows(
            np.array([70, 3], np.int32),
            *(numbers(2, 70, size) for size in (64, 32, 2, 2)),
        ),
        "memory": DeltaMemory(numbers(2, 1, 64), numbers(2, 2, 16, 16)),
    }
    return {**arguments, **changed}


def test_threads_and_chunks_change_no_bit(library):
    one, two = call(), call()
    found = delta_rule(library, **one, threads=1)
    assert np.array_equal(delta_rule(library, **two, threads=2), found)
    parts, rows = [], one["rows"]
    three = call()
    for first, stop in ((0, 1), (1, 40), (40, 70)):
        cut = (np.ascontiguousarray(part[:, first:stop]) for part in rows[1:])
        counts = (rows.counts - first).clip(0, stop - first).astype(np.int32)
        parts.append(delta_rule(library, **{**three, "rows": DeltaRows(counts, *cut)}, threads=2))
    assert np.array_equal(np.concatenate(parts, 1), found)
    for kept, other, third in zip(one["memory"], two["memory"], three["memory"], strict=True):
        assert np.array_equal(kept, other) and np.array_equal(kept, third)
    assert not found[1, 3:].any()


def test_extreme_inputs_stay_finite(library):
    rows = call()["rows"]
    for by in (1e4, -1e4):
        steep = DeltaRows(rows.counts, *(part * np.float32(by) for part in rows[1:]))
        assert np.isfinite(delta_rule(library, **call(rows=steep))).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_check_at_each_load_passes_and_would_notice(library, threads, monkeypatch):
    assert delta_is_right(library, threads)
    monkeypatch.setattr("hornbook.kernels.check_delta._silu", lambda x: x)
    assert not delta_is_right(library, threads)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": DeltaSizes(2, 16, 1, 8, 2, 1e-6)},
        {"sizes": DeltaSizes(3, 16, 2, 16, 2, 1e-6)},
        {"sizes": DeltaSizes(2, 16, 1, 16, 3, 1e-6)},
        {"memory": DeltaMemory(np.zeros((2, 1, 64), np.float32), np.zeros((2, 2, 16, 16)))},
        {"weights": DeltaWeights(*(np.zeros(9, np.float32) for _ in range(4)))},
        {"rows": call()["rows"]._replace(counts=np.array([71, 0], np.int32))},
        {"rows": call()["rows"]._replace(counts=np.array([-1, 0], np.int32))},
        {"rows": call()["rows"]._replace(gate=np.zeros((2, 70, 31), np.float32))},
    ],
)
def test_what_does_not_fit_is_refused(library, wrong):
    with pytest.raises(HornbookError, match="the kernels need"):
        delta_rule(library, **call(**wrong))
