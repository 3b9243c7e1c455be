"""Penalties, bias and log-probabilities: what their documents define, the same in every loop."""

import numpy as np
import pytest

from hornbook.core.errors import UsageError
from hornbook.generate.decode import decode
from hornbook.generate.engine import Engine
from hornbook.generate.sampler import TokenSampler
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest
from hornbook.generate.speculate import PromptLookup, decode_drafted
from hornbook.models.presets import qwen3
from tests.tiny import decoder_sizes, loud

VOCAB = 50
PENALTIES = {
    "repetition": {"repetition_penalty": 1.3},
    "short window": {"repetition_penalty": 1.5, "repetition_window": 3},
    "whole window": {"repetition_penalty": 1.7, "repetition_window": -1},
    "frequency": {"frequency_penalty": 0.9},
    "presence": {"presence_penalty": -1.5},
    "bias": {"logit_bias": {7: -100.0, 9: 4.0}},
    "all": {
        "repetition_penalty": 1.2, "frequency_penalty": 0.4, "presence_penalty": 0.3,
        "logit_bias": {3: -2.0}, "top_p": 0.9, "min_p": 0.02, "top_k": 30,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return loud(qwen3(decoder_sizes(context=64)).build())


def plain(logits, config, prompt, answer):
    """The definitions, one id at a time: bias, then llama.cpp's penalties over the window of
    prompt and answer, then OpenAI's over the answer."""
    found, text = logits.astype(np.float64), [*prompt, *answer]
    window = config.repetition_window
    recent = text if window < 0 else text[len(text) - min(window, len(text)) :]
    for id, bias in config.logit_bias:
        found[id] += bias
    for id in range(len(found)):
        if id in recent:
            factor = config.repetition_penalty
            found[id] = found[id] / factor if found[id] > 0 else found[id] * factor
        count = answer.count(id)
        found[id] -= count * config.frequency_penalty + (count > 0) * config.presence_penalty
    return found


@pytest.mark.parametrize("options", PENALTIES.values(), ids=PENALTIES)
def test_penalties_are_those_of_a_plain_loop(options):
    config, chance = SamplingConfig(temperature=0, **options), np.random.default_rng(0)
    prompt, answer = chance.integers(0, VOCAB, 12).tolist(), []
    sampler = TokenSampler(config, prompt, VOCAB)
    for _ in range(30):
        logits = (2 * chance.standard_normal(VOCAB)).astype(np.float32)
        kept = logits.copy()
        answer.append(sampler.next(logits).id)
        assert answer[-1] == plain(logits, config, prompt, answer[:-1]).argmax()
        assert (logits == kept).all()  # they belong to the model
        sampler.advance(answer[-1])


def test_a_penalty_follows_its_window():
    """An id that has left the window costs nothing; what was in the prompt is no repetition to
    OpenAI's penalties."""
    logits = np.zeros(VOCAB, np.float32)
    logits[[4, 5]] = 2.0, 1.9
    config = SamplingConfig(temperature=0, repetition_penalty=2.0, repetition_window=2)
    assert TokenSampler(config, [4, 1, 1], VOCAB).next(logits).id == 4
    assert TokenSampler(config, [1, 4, 1], VOCAB).next(logits).id == 5
    sampler = TokenSampler(SamplingConfig(temperature=0, frequency_penalty=2.0), [4, 4], VOCAB)
    assert sampler.next(logits).id == 4
    sampler.advance(4)
    assert sampler.next(logits).id == 5


@pytest.mark.parametrize(("name", "temperature"), [("whole window", 0.0), ("all", 1.1)])
def test_every_loop_gives_the_same(model, name, temperature):
    """One after the other, side by side, in an engine, and with guesses."""
    config = SamplingConfig(
        temperature=temperature, seed=3, max_tokens=12, top_logprobs=2, **PENALTIES[name]
    )
    prompts = [[1, 2, 3, 1, 2, 3], [5], [9, 9, 9, 9]]
    alone = []
    for prompt in prompts:
        steps = list(decode(model, [prompt], config, frozenset()))
        alone.append(([s.id for s in steps], [s.logprobs for s in steps]))
        drafted = list(decode_drafted(model, prompt, config, frozenset(), PromptLookup()))
        assert [s.id for s in drafted] == alone[-1][0]
    side = [[] for _ in prompts]
    for step in decode(model, prompts, config, frozenset()):
        side[step.row].append(step.id)
    engine = Engine(model)
    handles = [engine.submit(GenerationRequest(prompt, config)) for prompt in prompts]
    served = {handle: [] for handle in handles}
    for token in engine.run():
        served[token.handle].append(token)
    for handle, row, (ids, logprobs) in zip(handles, side, alone, strict=True):
        assert row == ids == [token.id for token in served[handle]]
        theirs = [token.logprobs for token in served[handle]]
        for one, other in zip(logprobs, theirs, strict=True):
            assert one.chosen == pytest.approx(other.chosen, abs=1e-4)
            assert [i for i, _ in one.top] == [i for i, _ in other.top]
    free = SamplingConfig(temperature=temperature, seed=3, max_tokens=12)
    assert [s.id for s in decode(model, prompts[:1], free, frozenset())] != alone[0][0]


def test_logprobs_are_of_what_the_model_gave():
    """Whatever is asked of the draw: OpenAI's are of the distribution before it."""
    logits = np.float32([1.0, 3.0, 3.0, -2.0, 0.5])
    expected = logits - np.log(np.exp(logits.astype(np.float64)).sum())
    config = SamplingConfig(
        temperature=0.3, logit_bias={1: -100, 2: -100}, top_k=1, top_logprobs=3,
        repetition_penalty=3.0,
    )  # fmt: skip
    id, logprobs = TokenSampler(config, [0], 5).next(logits)
    assert id == 4  # 0 becomes a third
    assert logprobs.chosen == pytest.approx(expected[4])
    assert [i for i, _ in logprobs.top] == [1, 2, 0]
    assert [p for _, p in logprobs.top] == pytest.approx(expected[[1, 2, 0]].tolist())
    assert (
        TokenSampler(config.model_copy(update={"top_logprobs": 9}), [0], 5).next(logits)[1].top[4:]
    )
    assert (
        TokenSampler(config.model_copy(update={"top_logprobs": 0}), [0], 5).next(logits)[1].top
        == ()
    )
    assert TokenSampler(SamplingConfig(), [0], 5).next(logits).logprobs is None


def test_answers_to_one_prompt_draw_apart_and_the_first_is_that_of_one():
    logits = np.zeros(1000, np.float32)

    def ids(**answer):
        sampler = TokenSampler(SamplingConfig(seed=8, **answer), [1], 1000)
        return [sampler.next(logits).id for _ in range(8)]

    several = [ids(answer=n) for n in range(4)]
    assert len({tuple(each) for each in several}) == 4
    assert several == [ids(answer=n) for n in range(4)]
    assert several[0] == ids()


def test_a_bias_of_a_token_that_is_not_there_is_named(model):
    config = SamplingConfig(logit_bias={VOCAB: 1.0})
    with pytest.raises(UsageError, match="logit_bias: token 50 is not there; ids are 0 to 49"):
        next(decode(model, [[1]], config, frozenset()))
    engine = Engine(model)
    with pytest.raises(UsageError, match="token 50"):
        engine.submit(GenerationRequest([1], config))
    assert engine.idle


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"logit_bias": {-1: 0}}, "logit_bias"),
        ({"logit_bias": {1: 101}}, "logit_bias"),
        ({"logit_bias": {1: float("nan")}}, "logit_bias"),
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"repetition_window": -2}, "repetition_window"),
        ({"top_logprobs": -1}, "top_logprobs"),
    ],
)
def test_wrong_values_are_named(wrong, named):
    with pytest.raises(UsageError, match=named):
        SamplingConfig.parse(wrong, "sampling")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("window", [5, 64])
def test_penalties_are_llama_cpps(window):
    """Its own chain on the same logits; within the window both count the same tokens."""
    low = pytest.importorskip("llama_cpp").llama_cpp
    chance = np.random.default_rng(1)
    repeat, frequency, presence = 1.3, 0.4 * (window > 5), 0.7 * (window > 5)
    theirs = low.llama_sampler_init_penalties(VOCAB, window, repeat, frequency, presence)
    config = SamplingConfig(
        temperature=0, repetition_penalty=repeat, frequency_penalty=frequency,
        presence_penalty=presence, repetition_window=window,
    )  # fmt: skip
    ours = TokenSampler(config, [], VOCAB)
    for _ in range(40):
        logits = (2 * chance.standard_normal(VOCAB)).astype(np.float32)
        data = (low.llama_token_data * VOCAB)(*((i, x, 0) for i, x in enumerate(logits.tolist())))
        array = low.llama_token_data_array(data, VOCAB, -1, False)
        low.llama_sampler_apply(theirs, array)
        expected = [data[i].logit for i in range(VOCAB)]
        assert ours._penalties.on(logits).tolist() == pytest.approx(expected, abs=1e-6)
        token = int(chance.integers(10))
        low.llama_sampler_accept(theirs, token)
        ours.advance(token)
    low.llama_sampler_free(theirs)
