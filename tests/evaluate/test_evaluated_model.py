"""Answers: those of each prompt alone, and no further than their stop text."""

import pytest

from hornbook.core.errors import HornbookError
from hornbook.generate import answers as module
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import continue_text, stream

PROMPTS = ("The cat", "春眠", "Is this spam? yes no good bad", "sat", "The cat sat on the mat.")


@pytest.fixture
def prompts(tokenizer):
    return [tokenizer.encode(prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("stop", [(), ("a",), ("e", "s")])
def test_they_are_those_of_each_prompt_alone(monkeypatch, evaluated, tokenizer, prompts, stop):
    monkeypatch.setattr(module, "_STATE_TOKENS", 60)  # several batches
    found = evaluated.answers(prompts, 10, stop, chat=False)
    config = SamplingConfig(temperature=0, max_tokens=10, stop=stop)
    for prompt, text in zip(PROMPTS, found, strict=True):
        answer, ends = continue_text(tokenizer, prompt)
        assert "".join(stream(evaluated.model, tokenizer, answer, ends, config)) == text
        assert not any(word in text for word in stop)


def test_a_row_ends_when_it_is_told_to(evaluated, prompts):
    config = SamplingConfig(temperature=0, max_tokens=6)
    steps = decode(evaluated.model, prompts[:2], config, frozenset())
    seen, step = [], next(steps, None)
    while step is not None:
        seen.append(step.row)
        try:
            step = steps.send(step.row == 0 and seen.count(0) == 2)
        except StopIteration:
            break
    assert (seen.count(0), seen.count(1)) == (2, 6)


def test_a_prompt_without_room_is_an_error(evaluated):
    with pytest.raises(HornbookError, match="this model takes 1 to 95"):
        evaluated.answers([[1] * 96], 4, (), chat=False)
