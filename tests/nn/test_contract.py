"""The layer contract, over every registered layer: a new layer is covered by its registration.

Parameters are random here, because models begin with layers that add nothing. Outputs are around
1; what a tolerance of 1e-4 must still catch, a wrongly seen token, moves them by 0.01 and more.
"""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.nn.attention import Attention
from hornbook.nn.contract import AnyLayer, Context, Layer, LayerConfig, Mask, State, all_layers

LAYERS = all_layers()

WIDTH, ROWS, TIME = 16, 3, 7
CASES = {f"{name}-{i}": c for name, cls in LAYERS.items() for i, c in enumerate(cls.examples())}
every_layer = pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())


class Holder(Config):
    layer: AnyLayer


def build(config: LayerConfig) -> Layer:
    """As it answers: what is added in training alone may look at a whole batch."""
    layer = config.build(WIDTH).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return layer.requires_grad_(False)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def context(x: Tensor, pos: Tensor, mask: Mask) -> Context:
    """A context with a memory, the same for every row, for the layers that look at one."""
    memory, valid = remembered(len(x), x.dtype)
    return Context(pos, mask, memory=memory, memory_valid=valid)


def remembered(rows: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    memory = noise(1, 4, WIDTH, seed=9).to(dtype).repeat(rows, 1, 1)
    return memory, torch.tensor([[True, True, True, False]]).repeat(rows, 1)


def whole(layer: Layer, x: Tensor, valid: Tensor | None = None, causal: bool = True) -> Tensor:
    """The output without a cache, positions counted from 0."""
    return layer(x, context(x, torch.arange(x.shape[1])[None], Mask(causal, valid)))


def new_state(layer: Layer, rows: int, capacity: int, dtype: torch.dtype = torch.float32) -> State:
    length = torch.zeros(rows, dtype=torch.int64)
    cache = layer.new_cache(rows, capacity, torch.zeros((), dtype=dtype))
    layer.remember(*remembered(rows, dtype), cache)
    return State(length, capacity, [cache])


def looks_at_a_memory(layer: Layer) -> bool:
    x, ctx = noise(1, 2, WIDTH), context(noise(1, 2, WIDTH), torch.arange(2)[None], Mask(True))
    assert ctx.memory is not None
    return not torch.equal(layer(x, ctx), layer(x, ctx._replace(memory=ctx.memory + 1)))


def go_on(layer: Layer, x: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
    """The output of the next chunk; moves the clock."""
    y = layer(x, state.context(x.shape[1], valid), state.caches[0])
    state.advance(x.shape[1] if valid is None else valid.sum(1))
    return y


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_some_layers_are_registered():
    assert {"attention", "mlp", "gated_mlp", "pre_norm"} <= set(LAYERS)


@every_layer
def test_it_keeps_the_shape_and_says_something(config):
    x = noise(ROWS, TIME, WIDTH)
    y = whole(build(config), x)
    assert y.shape == x.shape
    assert torch.isfinite(y).all()
    assert (y - x).std() > 0.01


@every_layer
def test_nothing_looks_ahead(config):
    layer, x = build(config), noise(ROWS, TIME, WIDTH)
    y = whole(layer, x)
    for t in range(TIME - 1):
        changed = x.clone()
        changed[:, t + 1 :] = noise(ROWS, TIME - t - 1, WIDTH, seed=2) * 3
        same(whole(layer, changed)[:, : t + 1], y[:, : t + 1])


@every_layer
@pytest.mark.parametrize("padded", [False, True])
def test_without_causality_a_mixer_sees_both_sides_or_refuses(config, padded):
    """Seen: attention that asserts a causal mask, that stays causal, that sees only itself."""
    layer, x = build(config), noise(1, TIME, WIDTH)
    see = partial(whole, layer, valid=torch.ones(1, TIME).bool() if padded else None, causal=False)
    if config.one_way:
        with pytest.raises(AssertionError, match=r"one way|back only"):
            see(x)
        return
    first, last = x.clone(), x.clone()
    first[:, 0] += 1
    last[:, -1] += 1
    attention = [part for part in layer.modules() if isinstance(part, Attention)]
    if attention:
        far = min(attention[0].config.window or TIME, TIME) - 1
        assert (see(first)[:, far] - see(x)[:, far]).abs().max() > 0.001
        assert (see(last)[:, -1 - far] - see(x)[:, -1 - far]).abs().max() > 0.001
    else:  # positions do not meet in this layer
        same(see(first)[:, 1:], see(x)[:, 1:])
        same(see(last)[:, :-1], see(x)[:, :-1])


@every_layer
def test_rows_are_independent(config):
    layer, x = build(config), noise(ROWS, TIME, WIDTH)
    y = whole(layer, x)
    for row in range(ROWS):
        same(whole(layer, x[row : row + 1]), y[row : row + 1])


@settings(deadline=None, max_examples=8, derandomize=True)
@given(counts=st.lists(st.tuples(*[st.integers(0, 4)] * ROWS), min_size=1, max_size=5))
@every_layer
def test_any_chunks_with_a_cache_are_the_whole(config, counts):
    """counts[c][r]: how many tokens row r has in chunk c; the rest of the chunk is padding."""
    layer = build(config)
    totals = [sum(column) for column in zip(*counts, strict=True)]
    x = noise(ROWS, max(*totals, 1), WIDTH)
    state = new_state(layer, ROWS, capacity=sum(max(*chunk, 1) for chunk in counts))
    outputs: list[list[Tensor]] = [[] for _ in range(ROWS)]
    for seed, chunk in enumerate(counts):
        time = max(*chunk, 1)
        padded = noise(ROWS, time, WIDTH, seed=seed) * 3
        for row, count in enumerate(chunk):
            start = int(state.length[row])
            padded[row, :count] = x[row, start : start + count]
        valid = torch.arange(time) < torch.tensor(chunk)[:, None]
        y = go_on(layer, padded, state, valid)
        for row, count in enumerate(chunk):
            outputs[row].append(y[row, :count])
    assert state.length.tolist() == totals
    for row, total in enumerate(totals):
        if total:
            same(torch.cat(outputs[row]), whole(layer, x[row : row + 1, :total])[0])


@every_layer
def test_one_token_at_a_time_is_the_whole(config):
    layer, x = build(config), noise(ROWS, TIME, WIDTH)
    state = new_state(layer, ROWS, capacity=TIME)
    same(torch.cat([go_on(layer, x[:, t : t + 1], state) for t in range(TIME)], 1), whole(layer, x))


@every_layer
def test_a_cache_has_rows_first_and_is_updated_in_place(config):
    layer = build(config)
    state = new_state(layer, ROWS, capacity=TIME)
    before = {name: (t.data_ptr(), t.shape) for name, t in state.caches[0].items()}
    go_on(layer, noise(ROWS, 3, WIDTH), state)
    after = {name: (t.data_ptr(), t.shape) for name, t in state.caches[0].items()}
    assert before == after
    assert all(shape[0] == ROWS for _, shape in before.values())
    short = layer.new_cache(ROWS, TIME, torch.zeros((), dtype=torch.bfloat16))
    assert all(t.dtype == torch.bfloat16 for t in short.values() if t.is_floating_point())


@every_layer
def test_rows_of_a_state_can_be_taken_put_cleared_and_kept(config):
    layer = build(config)
    x, more = noise(ROWS, 4, WIDTH), noise(ROWS, 3, WIDTH, seed=2)
    state = new_state(layer, ROWS, capacity=9)
    ragged = torch.arange(4) < torch.tensor([[4], [2], [3]])
    go_on(layer, x, state, ragged)
    kept, taken = state.snapshot(), state.take(torch.tensor([2, 0]))
    y = go_on(layer, more, state)
    same(go_on(layer, more[[2, 0]], taken), y[[2, 0]])
    same(go_on(layer, more, kept.snapshot()), y)

    other = new_state(layer, ROWS, capacity=9)
    go_on(layer, noise(ROWS, 5, WIDTH, seed=3), other)
    other.put(torch.tensor([1, 0]), kept.take(torch.tensor([0, 1])))
    other.clear(torch.tensor([2]))
    if looks_at_a_memory(layer):  # a new row has a memory of its own
        other.put(torch.tensor([2]), new_state(layer, 1, capacity=9))
    z = go_on(layer, more[[1, 0, 2]], other)
    same(z[:2], y[[1, 0]])
    same(z[2:], whole(layer, more[2:]))
    assert other.length.tolist() == [5, 7, 3]


@every_layer
def test_a_row_can_be_cut_where_a_layer_says_so_and_views_touch_no_other(config):
    layer, x, more = build(config), noise(ROWS, 4, WIDTH), noise(1, 3, WIDTH, seed=2)
    state = new_state(layer, ROWS, capacity=9)
    if looks_at_a_memory(layer):
        state.remembered = [frozenset(state.caches[0])]
    state.positional = [layer.positional()]
    assert layer.positional() <= state.caches[0].keys()
    go_on(layer, x, state)
    kept = state.snapshot()
    state.cut(1, 2 if state.cuttable else 4)
    prefix = x[1:2, : int(state.length[1])]
    y = go_on(layer, more, state.view(1, 2))
    same(y, whole(layer, torch.cat([prefix, more], 1))[:, prefix.shape[1] :])
    assert state.length.tolist() == [4, prefix.shape[1] + 3, 4]
    for name, tensor in state.caches[0].items():
        assert torch.equal(tensor[[0, 2]], kept.caches[0][name][[0, 2]])
    if state.remembered:
        return  # a new row would want a memory of its own
    state.cut(1, 0)
    same(go_on(layer, more, state.view(1, 2)), whole(layer, more))


@every_layer
@pytest.mark.parametrize(
    "real", [[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1, 1]]
)
def test_invalid_tokens_are_invisible(config, real):
    layer, x = build(config), noise(ROWS, TIME, WIDTH)
    valid = torch.tensor([real, [1] * TIME, real]).bool()
    changed = torch.where(valid[..., None], x, noise(ROWS, TIME, WIDTH, seed=2) * 3)
    y = whole(layer, x, valid)
    same(whole(layer, changed, valid)[valid], y[valid])
    assert torch.isfinite(y).all()
    start, stop = real.index(1), TIME - real[::-1].index(1)
    if sum(real) == stop - start:  # in one piece: what the piece alone gives, at its positions
        piece = x[:1, start:stop]
        alone = context(piece, torch.arange(start, stop)[None], Mask(causal=True))
        same(y[0, start:stop], layer(piece, alone)[0])


@every_layer
def test_gradients_of_a_padded_batch_are_finite_and_leave_padding_alone(config):
    layer = build(config).requires_grad_(True)
    valid = torch.tensor([[1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1], [0] * TIME]).bool()
    x = noise(ROWS, TIME, WIDTH).requires_grad_(True)
    y = whole(layer, x, valid)
    gradients = torch.autograd.grad(
        y[valid].square().sum(), [x, *layer.parameters()], allow_unused=True
    )
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert gradients[0] is None or not gradients[0][~valid].any()


@every_layer
def test_short_floats_go_through_and_stay(config):
    """As weights, with their cache, and as the type of products alone."""
    layer, x = build(config), noise(ROWS, TIME, WIDTH)
    expected = whole(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(whole(layer, x).float(), expected, atol=0.25, rtol=0.1)
    layer, x = layer.bfloat16(), x.bfloat16()
    y = whole(layer, x)
    assert y.dtype == torch.bfloat16
    state = new_state(layer, ROWS, TIME, torch.bfloat16)
    valid = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 0, 0]]).bool()
    go_on(layer, x[:, :3], state, valid)
    z = go_on(layer, x[1:2, 3:4].expand(ROWS, -1, -1), state)
    assert z.dtype == torch.bfloat16
    torch.testing.assert_close(z[1].float(), y[1, 3:4].float(), atol=0.25, rtol=0.1)


@every_layer
def test_segments_do_not_see_each_other(config):
    layer, x = build(config), noise(2, TIME, WIDTH)
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 2, 2]])
    pos = torch.tensor([[0, 1, 2, 0, 1, 2, 3], [0, 0, 1, 2, 3, 0, 1]])
    x.requires_grad_(True)
    y = layer(x, context(x, pos, Mask(causal=True, segments=segments)))
    if not y.requires_grad:
        return  # what it says is the memory's, whatever comes in
    for row in range(2):
        for segment in segments[row].unique():
            inside = segments[row] == segment
            same(y[row, inside], whole(layer, x[row : row + 1, inside])[0])
            (gradient,) = torch.autograd.grad(y[row, inside].sum(), x, retain_graph=True)
            assert gradient[row, inside].abs().sum() > 0
            assert not gradient[row, ~inside].any()
            assert not gradient[1 - row].any()


@every_layer
def test_its_config_survives_plain_data_and_predicts_its_size(config):
    held = Holder(layer=config)
    assert Holder.parse(held.plain(), "here") == held
    layer = config.build(WIDTH)
    assert sum(weight.numel() for weight in layer.parameters()) == config.parameters(WIDTH)


@every_layer
def test_all_that_it_holds_are_parameters(config):
    """Folders hold parameters only; a buffer would come back unfilled."""
    assert not list(config.build(WIDTH).buffers())


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(HornbookError, match=r"'atention'.*Did you mean 'attention'"):
        Holder.parse({"layer": {"kind": "atention"}}, "recipe.yaml")


def test_an_unknown_key_of_a_layer_names_the_nearest():
    plain = {"kind": "mlp", "hiden": 3}
    with pytest.raises(HornbookError, match=r"mlp.*'hiden'|'hidden' is missing"):
        Holder.parse({"layer": plain}, "recipe.yaml")
