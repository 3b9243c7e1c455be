"""Summaries: always beside the first sentences, by parts where the text is long."""

import json

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.tokenize.chat import CHATML
from hornbook.workflows.use import summarize as module
from hornbook.workflows.use.summarize import SummarizeConfig, summarize
from tests.in_process import hornbook as run
from tests.tiny import QUIET, decoder_folder

SENTENCES = [f"The cat number {i} sat on the mat." for i in range(200)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("summarize")
    text = " ".join(SENTENCES[:40]) + "春眠不覺曉。處處聞啼鳥。TL;DR: Summarize the text"
    return decoder_folder(folder, text * 4, depth=1, context=160)


@pytest.fixture
def asked(monkeypatch):
    """What the model was asked; it answers `short.` to each."""
    prompts = []

    def answers(model, tokenizer, ids, *others):
        prompts.extend(tokenizer.decode(row) for row in ids)
        return [" short. "] * len(ids)

    monkeypatch.setattr(module, "greedy_answers", answers)
    return prompts


def test_a_short_text_is_asked_once(model, asked):
    text = " ".join(SENTENCES[:4])
    found = summarize(model, text, SummarizeConfig(max_tokens=8, device="cpu"), QUIET)
    assert found["summary"] == "short." and found["parts"] == []
    assert found["lead"] == " ".join(SENTENCES[:3])
    assert len(asked) == 1 and text in asked[0]


def test_a_long_text_goes_by_parts_and_nothing_is_lost(model, asked):
    text = " ".join(SENTENCES)
    config = SummarizeConfig(max_tokens=8, lead=1, device="cpu")
    found = summarize(model, text, config, QUIET)
    first = asked[: len(found["parts"][0])]
    for sentence in SENTENCES:
        assert sum(sentence in prompt for prompt in first) == 1
    assert found["summary"] == "short." and found["lead"] == SENTENCES[0]
    assert asked[-1].count("short.") == len(found["parts"][-1])


def test_a_sentence_without_end_is_cut(model, asked):
    found = summarize(model, "曉" * 2000, SummarizeConfig(max_tokens=8, device="cpu"), QUIET)
    assert sum(prompt.count("曉") for prompt in asked) == 2000
    assert found["lead"] == "曉" * 2000


def test_chinese_is_asked_in_chinese(model, asked):
    summarize(model, "春眠不覺曉。" * 3, SummarizeConfig(max_tokens=8, device="cpu"), QUIET)
    chinese = module.PROMPTS["zh", True]
    assert asked[0].count("春眠不覺曉。") == 3
    assert chinese.partition("{text}")[0].strip() in asked[0]
    assert CHATML.partition("{")[0] in asked[0]


def test_a_prompt_of_ones_own(model, asked):
    config = SummarizeConfig(prompt="The cat {text} mat", max_tokens=8, device="cpu")
    summarize(model, "sat.", config, QUIET)
    assert "The cat sat. mat" in asked[0]


@pytest.mark.parametrize(
    ("text", "values", "error", "message"),
    [
        (" \n", {}, UsageError, "the text is empty"),
        ("x", {"prompt": "no place"}, UsageError, "no place for the text"),
        ("x", {"max_tokens": 150}, HornbookError, "a smaller --max-tokens"),
    ],
)
def test_mistakes(model, text, values, error, message):
    with pytest.raises(error, match=message):
        summarize(model, text, SummarizeConfig(device="cpu", **values), QUIET)


def test_summaries_that_grow_end_with_an_error(model, monkeypatch):
    monkeypatch.setattr(module, "greedy_answers", lambda m, t, ids, *a: ["long " * 200] * len(ids))
    with pytest.raises(HornbookError, match="longer than the text"):
        summarize(model, " ".join(SENTENCES[:50]), SummarizeConfig(max_tokens=8), QUIET)


def test_the_commands(model, tmp_path):
    code, out, err = run(
        "summarize", model, "--max-tokens", 4, "--json", text=" ".join(SENTENCES[:5])
    )
    assert code == 0, err
    found = json.loads(out)
    assert found.keys() == {"model", "summary", "lead", "parts", "characters"}
    code, out, err = run("summarize", model, tmp_path / "none.txt")
    assert (code, err.count("\n")) == (2, 1) and "does not exist" in err
    (tmp_path / "d.txt").write_text("\n".join(SENTENCES[:6]))
    options = ["--data", tmp_path / "d.txt", "--no-register", "--json", "--out", tmp_path / "o"]
    code, out, err = run("evaluate", model, "--task", "perplexity", *options)
    assert code == 0, err
    found = json.loads(out)
    assert found.keys() >= {"model", "task", "n", "metrics", "leakage"}
    assert (tmp_path / "o" / "results_perplexity.json").is_file()
    code, out, err = run("evaluate", model, "--task", "perplexitty")
    assert code == 2 and "Did you mean 'perplexity'" in err
