"""A decoder in our own kernels: the layers' results, whatever a token is computed beside."""

import random

import pytest
import torch

from hornbook.generate.decode import decode
from hornbook.generate.engine import Engine
from hornbook.generate.native_decoder import native_decoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import Request, ScheduleConfig
from hornbook.models.pack import from_weights, pack
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import Sizes
from hornbook.nn import native

SIZES = Sizes(
    vocab=96, width=64, depth=2, context=96, heads=4, kv_heads=2, head=16, hidden=160, tied=True
)
NAMES = ("llama", "qwen2", "qwen3")


@pytest.fixture(autouse=True)
def _kernels():
    native.build()
    native.library.cache_clear()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")


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
    decoder = native_decoder(model)
    assert decoder is not None
    return model, decoder


def some_tokens(rows, time, seed=1):
    return torch.randint(96, (rows, time), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_it_computes_what_the_layers_do(name, bits):
    model, decoder = made(name, bits)
    tokens = some_tokens(3, 40)
    valid = torch.arange(40) < torch.tensor([40, 7, 0])[:, None]
    states = model.new_state(3, dtype=torch.float16), decoder.new_state(3)
    for start in (0, 11):
        part = slice(start, 11 if start == 0 else 40)
        one, other = (
            which(tokens[:, part], state, valid[:, part])
            for which, state in zip((model, decoder), states, strict=True)
        )
        real = valid[:, part]
        error = (one[real] - other[real]).square().mean() / one[real].square().mean()
        assert error < 1e-4  # rounding decides a code of eight bits now and then
    assert torch.equal(states[0].length, states[1].length)
    for mine, theirs in zip(states[0].caches, states[1].caches, strict=True):
        for key in mine:
            for row, length in enumerate(states[0].length.tolist()):
                kept, found = (c[key][row, :, :length].float() for c in (mine, theirs))
                assert (kept - found).square().sum() <= 1e-4 * kept.square().sum()


@torch.inference_mode()
@pytest.mark.parametrize("name", NAMES)
def test_any_chunks_rows_and_threads_give_the_same_bits(name):
    _, decoder = made(name, seed=2)
    tokens, draw = some_tokens(1, 60), random.Random(3)
    whole = decoder(tokens, decoder.new_state(1))
    threads = torch.get_num_threads()
    try:
        for trial in range(12):
            torch.set_num_threads(1 + trial % 3)
            rows = draw.randint(1, 9)
            own = draw.randrange(rows)
            state, found, start = decoder.new_state(rows), [], 0
            while start < 60:
                count = draw.randint(1, 60 - start)
                beside = some_tokens(rows, count, seed=trial)
                beside[own] = tokens[0, start : start + count]
                valid = torch.rand(rows, 1).lt(0.5).expand(rows, count).clone()
                valid[own] = True
                found.append(decoder(beside, state, valid)[own])
                start += count
            assert torch.equal(torch.cat(found), whole[0])
    finally:
        torch.set_num_threads(threads)


def test_an_engine_gives_every_request_the_ids_it_gets_alone():
    _, decoder = made("llama", seed=4)
    draw = random.Random(5)
    for seed in range(40):
        requests = [
            Request(
                [draw.randrange(96) for _ in range(draw.randint(1, 50))],
                SamplingConfig(
                    temperature=draw.choice([0, 0.9]), max_tokens=draw.randint(1, 20), seed=seed
                ),
                frozenset({draw.randrange(96)}),
            )
            for _ in range(draw.randint(1, 7))
        ]
        slots = draw.randint(1, 4)
        engine = Engine(decoder, ScheduleConfig(slots=slots, step_tokens=draw.randint(slots, 40)))
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


def test_no_row_at_all_changes_nothing():
    _, decoder = made("llama")
    state = decoder.new_state(2)
    with torch.inference_mode():
        found = decoder.go_on(some_tokens(2, 3), state, torch.zeros(2, 3, dtype=torch.bool))
    assert not found.any() and state.length.tolist() == [0, 0]
