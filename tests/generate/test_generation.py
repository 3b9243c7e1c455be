"""Generation: the right distribution, the same text in any company, and no stop text shown."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig, _kept, choose
from hornbook.generate.text import Answer, continue_text, reply_to, stream
from hornbook.models.presets import MASKED_PRESETS, PRESETS
from hornbook.models.sequences import PROMPT_CHUNK
from hornbook.models.sizes import DecoderSizes

VOCAB = 60
NEVER = frozenset[int]()


def build(preset="qwen3", context=40):
    sizes = DecoderSizes(
        vocab=VOCAB, width=16, depth=2, context=context, heads=2, kv_heads=2, head=8, hidden=24,
        tied=False,
    )  # fmt: skip
    model = PRESETS[preset](sizes).build(seed=2).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


def rows_of(model, prompts, config, stops=NEVER):
    found = {row: [] for row in range(len(prompts))}
    ends = {}
    for step in decode(model, prompts, config, stops):
        found[step.row].append(step.id)
        if step.finished:
            ends[step.row] = step.finished
    return [found[row] for row in range(len(prompts))], [ends[row] for row in range(len(prompts))]


@given(
    st.lists(st.integers(1, 100), min_size=2, max_size=20),
    st.one_of(st.none(), st.integers(1, 25)),
    st.floats(0.05, 1.0),
    st.floats(0.0, 0.9),
)
def test_cut_keeps_what_a_plain_loop_keeps(weights, top_k, top_p, min_p):
    p = np.array(weights, np.float64) / sum(weights)
    config = SamplingConfig(top_k=top_k, top_p=top_p, min_p=min_p)
    ids, left = _kept(p, config)
    found = np.arange(len(p)) if ids is None else ids
    order = sorted(range(len(p)), key=lambda i: (-float(p[i]), i))[:top_k]
    total, kept, before = sum(float(p[i]) for i in order), [], 0.0
    for i in order:
        if before < top_p - 1e-12 or top_p == 1:
            kept.append(i)
        before += float(p[i]) / total
    kept = [i for i in kept if float(p[i]) >= min_p * float(p[order[0]]) - 1e-12]
    assert found.tolist() == sorted(kept)
    assert left.tolist() == p[found].tolist()


def test_greedy_takes_the_lowest_of_equals():
    config = SamplingConfig(temperature=0)
    assert choose(np.float32([0, 3, 3]), config, config.draws()) == 1


def test_draws_follow_the_distribution():
    logits, random = np.log(np.float32([0.5, 0.3, 0.2])), np.random.default_rng(0)
    draws = [choose(logits, SamplingConfig(), random) for _ in range(4000)]
    shares = [draws.count(i) / 4000 for i in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_p": 0}, {"top_k": 0}, {"min_p": 1}, {"max_tokens": 0}]
)
def test_wrong_options_are_named(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SamplingConfig.parse(wrong, "sampling")


@pytest.mark.parametrize("preset", sorted(PRESETS.keys() - set(MASKED_PRESETS)))
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_company_changes_nothing(preset, temperature):
    model = build(preset)
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [3, 1]]
    config = SamplingConfig(temperature=temperature, seed=4, max_tokens=12)
    stops = frozenset(range(8))
    together, ends = rows_of(model, prompts, config, stops)
    assert len({len(row) for row in together}) > 1 or len(set(ends)) == 1
    for prompt, row in zip(prompts, together, strict=True):
        assert rows_of(model, [prompt], config, stops)[0][0] == row


def test_cache_and_chunks_equal_the_whole():
    model = build(context=PROMPT_CHUNK + 60)
    prompt = torch.randint(VOCAB, (PROMPT_CHUNK + 30,), generator=torch.Generator().manual_seed(1))
    ids = prompt.tolist()
    (row,), _ = rows_of(model, [ids], SamplingConfig(temperature=0, max_tokens=8))
    for expected in row:
        with torch.no_grad():
            assert int(model(torch.tensor([ids]))[0, -1].argmax()) == expected
        ids.append(expected)


def test_ends():
    model = build(context=10)
    (row,), (end,) = rows_of(model, [[1, 2]], SamplingConfig(temperature=0, max_tokens=100))
    assert (len(row), end) == (8, "context")
    (row,), (end,) = rows_of(model, [[1, 2]], SamplingConfig(temperature=0, max_tokens=3))
    assert (len(row), end) == (3, "length")
    with pytest.raises(HornbookError, match="10 tokens; this model takes 1 to 9"):
        rows_of(model, [[1] * 10], SamplingConfig())
    with pytest.raises(HornbookError, match="0 tokens"):
        rows_of(model, [[]], SamplingConfig())


class Spelling:
    """A tokenizer of one-character tokens, and a model that spells a fixed text."""

    eos_id, stop_ids, where = 0, frozenset({0}), "here"

    def encode(self, text):
        return [ord(c) for c in text]

    encode_beginning = encode

    def encode_chat(self, messages, add_generation_prompt):
        return torch.tensor([1] * sum(len(m["content"]) for m in messages)), None

    def stream(self):
        return self

    def push(self, i):
        return chr(i)

    def end(self):
        return ""


class Speller:
    """A model, and its only sequence, that says a text whatever it reads."""

    capacity = 10_000
    vocab = 200

    def __init__(self, text):
        self.ids = iter([*map(ord, text), 0])

    def sequences(self, rows, capacity):
        return self

    def go_on(self, new, computing=None):
        logits = np.zeros(200, np.float32)
        logits[next(self.ids)] = 1
        return {0: logits}


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_stop_texts_end_the_answer_and_are_never_shown(text, stops):
    config = SamplingConfig(temperature=0, max_tokens=100, stop=tuple(stops))
    answer, stop_ids = continue_text(Spelling(), "x")
    pieces = list(stream(Speller(text), Spelling(), answer, stop_ids, config))
    found = [text.find(stop) for stop in stops if stop in text]
    # The first stop text to be complete ends it; among those, the earliest place is cut at.
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    read = text[: min(ends)] if ends else text
    cuts = [read.find(stop) for stop in stops if stop in read]
    assert "".join(pieces) == answer.text == (read[: min(cuts)] if found else text)
    assert answer.finish_reason == "stop"


def test_oldest_turns_fall_out():
    turns = [{"role": "user", "content": "x" * 30} for _ in range(5)]
    system = {"role": "system", "content": "y" * 10}
    answer, _ = reply_to(Spelling(), [system, *turns], room=100)
    assert isinstance(answer, Answer)
    assert answer.dropped_turns == 3
    assert len(answer.prompt_ids) == 70
    with pytest.raises(HornbookError, match="30 tokens; this model takes 15 of 20"):
        reply_to(Spelling(), turns, room=20)


@pytest.mark.parametrize(
    ("roles", "room", "dropped"),
    [
        ("ua" * 3 + "u", 100, 4),
        ("a" + "ua" * 2 + "u", 100, 3),
        ("uaau", 100, 3),
        ("ua" * 4 + "u", 400, 0),
    ],
)
def test_an_answer_falls_out_with_its_question(roles, room, dropped):
    """What is left begins with the user, as templates that want turns demand."""
    names = {"u": "user", "a": "assistant"}
    turns = [{"role": names[r], "content": "x" * 25} for r in roles]
    answer, _ = reply_to(Spelling(), turns, room=room)
    assert answer.dropped_turns == dropped
    assert len(answer.prompt_ids) == 25 * (len(roles) - dropped)
