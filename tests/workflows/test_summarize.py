"""Summaries: always beside the first sentences, by parts where the text is long."""

import json

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.tokenize.chat import CHATML
from hornbook.workflows.documents import summarize as documents
from hornbook.workflows.documents.source_texts import source_texts
from hornbook.workflows.documents.summarize import SourceText, summarize_documents
from hornbook.workflows.use import summarisers as module
from hornbook.workflows.use.summarize import SummarizeConfig, summarize
from tests.in_process import hornbook as run
from tests.tiny import QUIET, decoder_folder

SENTENCES = [f"The cat number {i} sat on the mat." for i in range(200)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("summarize")
    text = " ".join(SENTENCES[:40]) + "春眠不覺曉。處處聞啼鳥。TL;DR: Summarize the text"
    return decoder_folder(folder, text * 4, depth=1, context=160)


@pytest.fixture(autouse=True)
def no_encoder(monkeypatch):
    """By words alone: what was pulled on this machine must not count."""
    monkeypatch.setattr(documents, "fitting_encoder", lambda languages: None)


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


def test_of_a_long_text_a_decoder_reads_what_stands_for_its_parts(model, monkeypatch):
    parts = [f"## Part {i}\n\n" + " ".join(SENTENCES[:20]) for i in range(20)]
    text, read = "\n\n".join(parts), []

    def written(model, text, config, progress):
        read.append(text)
        return {"summary": "The cat sat.", "parts": []}

    monkeypatch.setattr("hornbook.workflows.documents.summarize._WHOLE", len(text) - 1)
    monkeypatch.setattr("hornbook.workflows.documents.summarize.summarize", written)
    long = [SourceText(1, "long.md", text)]
    found = summarize_documents(model, long, SummarizeConfig(), QUIET)
    assert found["read"] == len(read[0]) < len(text) / 2
    assert read[0].count("\n\n") == len(parts) - 1  # something of each
    whole = summarize_documents(model, long, SummarizeConfig(part=64), QUIET)
    assert read[1] == text and whole["read"] == len(text)


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
    assert found.keys() >= {"model", "summary", "lead", "parts", "characters", "reason"}
    assert found["by"] == "words" and found["summary"] == found["extractive"]
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


REPORT = """# The report

The tablet was found in 1843 beside the river. It was made of oak and weighed two pounds.
A child had written letters on it.

2. What was learned

The oak tablet shows how children learned letters. Teachers wrote the letters first, and
children wrote below them. The museum in Bath keeps the tablet today.
"""


SHORT = "The tablet was found in 1843 beside the river. It was made of oak. A child wrote on it."


def quoted(found, text):
    """All sentences of a result, each of which stands where it says."""
    parts = [one for section in found["sections"] for one in section["sentences"]]
    for one in [*found["sentences"], *parts]:
        assert one["text"] == text[one["start"] : one["end"]] and one["verified"]
    return [one["text"] for one in found["sentences"]]


def test_each_sentence_says_where_it_stands():
    found = summarize_documents(None, [SourceText(1, "r.md", REPORT)], SummarizeConfig(), QUIET)
    assert len(quoted(found, REPORT)) == 3
    assert [section["heading"] for section in found["sections"]] == [
        "The report", "2. What was learned"
    ]  # fmt: skip
    assert found["lead"].startswith("The tablet was found in 1843")
    assert "report" not in found["summary"] and found["by"] == "words"
    assert found["characters"] == {"text": len(REPORT), "summary": len(found["summary"])}


@pytest.mark.parametrize(
    ("answer", "by", "reason"),
    [
        ("The oak tablet was found in 1843 beside the river.", "decoder", None),
        ("The oak tablet was found in 1943 beside the river.", "encoder", "does not hold"),
        ("The tablet was found by Napoleon beside the river.", "encoder", "does not hold"),
        ("It is a good day for a walk in town.", "encoder", "does not hold"),
        ("The tablet was made of oak. " * 9, "encoder", "again and again"),
        ("", "encoder", "it is empty"),
    ],
)
def test_what_the_text_does_not_hold_is_no_summary(model, monkeypatch, answer, by, reason):
    monkeypatch.setattr(module, "greedy_answers", lambda m, t, ids, *a: [answer] * len(ids))
    config = SummarizeConfig(max_tokens=8, device="cpu")
    found = summarize_documents(model, [SourceText(1, "r.md", SHORT)], config, QUIET)
    assert (found["by"] == "decoder") == (by == "decoder")
    assert reason is None or reason in found["reason"]
    if by == "decoder":
        assert found["summary"] == answer and found["sentences"][0]["supported"]
    else:
        assert found["summary"] == found["extractive"] and quoted(found, SHORT)
    assert found["decoder"]["summary"].strip() == answer.strip()


def test_a_cut_is_marked(model, monkeypatch):
    answer = "The tablet was made of oak. A child"
    monkeypatch.setattr(module, "greedy_answers", lambda m, t, ids, *a: [answer] * len(ids))
    config = SummarizeConfig(max_tokens=8, device="cpu")
    found = summarize_documents(model, [SourceText(1, "r.md", SHORT)], config, QUIET)
    assert found["summary"] == f"{answer} …" and found["decoder"]["cut"]


def test_a_folder(tmp_path):
    (tmp_path / "a.md").write_text(REPORT)
    (tmp_path / "b.txt").write_text("春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。")
    texts = source_texts(tmp_path, Progress(True))
    found = summarize_documents(None, texts, SummarizeConfig(sentences=2), QUIET)
    assert {section["document"] for section in found["sections"]} == {1, 2}
    assert len(found["sentences"]) == 2
    code, out, err = run("summarize", tmp_path / "a.md", "--sentences", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["model"] is None
    code, out, err = run("summarize", tmp_path / "a.md")
    assert code == 0 and "By parts:" in out and "hornbook pull" in err


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    """A tiny T5 with random weights, its context 64 tokens."""
    from hornbook.models.folder import save_model
    from hornbook.models.translators import PairSizes, SideSizes, T5Shape
    from hornbook.models.translators import t5 as preset
    from hornbook.tokenize.train import train_tokenizer
    from tests.tiny import loud

    folder = tmp_path_factory.mktemp("t5")
    words = train_tokenizer([" ".join(SENTENCES[:40]) + "summarize: "], 300, folder / "t", QUIET)
    side = SideSizes(depth=1, heads=2, hidden=16)
    sizes = PairSizes(
        vocab=words.vocab_size, width=16, context=64, encoder=side, decoder=side, start=0, dropout=0
    )
    model = loud(preset(sizes, T5Shape(head=8)).build())
    save_model(model, folder / "m", tokenizer_folder=folder / "t")
    return folder / "m"


@pytest.mark.parametrize("prompt", [None, "About: {text}"])
def test_an_encoder_decoder_summarises_by_parts(t5, monkeypatch, prompt):
    from hornbook.workflows.open.translator import Translator

    texts = []

    def translate(self, text, max_tokens):
        texts.append(text)
        return "The cat number 7 sat on the mat."

    monkeypatch.setattr(Translator, "translate", translate)
    text = " ".join(SENTENCES[:30])
    config = SummarizeConfig(max_tokens=8, device="cpu", prompt=prompt)
    found = summarize_documents(t5, [SourceText(1, "c.txt", text)], config, QUIET)
    before = "summarize: " if prompt is None else "About: "
    assert all(one.startswith(before) for one in texts) and len(texts) > 3
    for sentence in SENTENCES[:30]:  # each is read once, in one of the parts
        assert sum(sentence in one for one in texts[: len(found["parts"][0])]) == 1
    assert found["by"] == "decoder" and found["summary"] == "The cat number 7 sat on the mat."
    (said,) = found["sentences"]
    assert said["supported"] and text[said["start"] : said["end"]] == SENTENCES[7]


def test_what_an_encoder_decoder_makes_up_is_left_out(t5):
    code, out, err = run("summarize", t5, "--max-tokens", 6, "--json", text=SENTENCES[0] * 4)
    assert code == 0, err
    found = json.loads(out)
    assert found["by"] == "words" and found["reason"] and "summary" in found["decoder"]


def test_a_model_that_only_translates_is_no_summariser(tmp_path):
    from hornbook.models.folder import save_model
    from hornbook.models.translators import PairSizes, SideSizes, transformer
    from hornbook.tokenize.train import train_tokenizer

    words = train_tokenizer(["a b c d"], 270, tmp_path / "t", QUIET)
    side = SideSizes(depth=1, heads=2, hidden=16)
    sizes = PairSizes(
        vocab=words.vocab_size, width=16, context=64, encoder=side, decoder=side, start=0, dropout=0
    )
    save_model(transformer(sizes).build(), tmp_path / "m", tokenizer_folder=tmp_path / "t")
    code, _, err = run("summarize", tmp_path / "m", text="A cat sat.")
    assert code == 2 and "only translates" in err


def test_penalties_reach_a_decoder_and_are_refused_elsewhere(model, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        module, "greedy_answers", lambda *others: given.append(others[-1]) or ["short."]
    )
    config = SummarizeConfig(repetition_penalty=1.3, max_tokens=8, device="cpu")
    summarize(model, SENTENCES[0], config, QUIET)
    assert given[0].penalties["repetition_penalty"] == 1.3
    text = [SourceText(1, "-", SENTENCES[0])]
    with pytest.raises(UsageError, match="--repetition-penalty would change nothing: only a dec"):
        summarize_documents(None, text, config, QUIET)
