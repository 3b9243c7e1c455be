"""The front door: whatever MODEL is, it opens ready to use, and says no in plain words."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from inspect import signature

import numpy as np
import pytest
import torch

import hornbook as hb
from hornbook.cli import chat, generate
from hornbook.workflows.open import asked
from tests.in_process import hornbook as run
from tests.tiny import every_kind

ABLE = {
    "decoder": ("generate", "chat", "stream", "decide"),
    "encoder": ("embed", "stream"),
    "masked": ("embed", "stream"),
    "network": ("classify", "stream", "decide"),
    "linear": ("classify", "stream", "decide"),
    "pairs": ("translate",),
    "cross": ("rerank",),
}
VERBS = {verb for verbs in ABLE.values() for verb in verbs}
TEXTS = ["the hornbook", "春眠不覺曉", "naïve 🦉", "", "the " * 30]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return every_kind(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("name", ABLE)
def test_each_kind_can_do_what_it_can_and_says_what_it_cannot(models, name):
    opened = hb.load(str(models / name))
    assert opened.path == models / name and type(opened).__name__ in repr(opened)
    for verb in VERBS:
        assert hasattr(opened, verb) == (verb in ABLE[name])
    for verb in VERBS - set(ABLE[name]):
        with pytest.raises(hb.UsageError, match=rf"is an? \w+: it can .*, not {verb}"):
            getattr(opened, verb)("text")
    with pytest.raises(AttributeError, match="has no 'generat'"):
        _ = opened.generat


def test_a_kind_that_is_asked_for_is_checked_before_weights_are_read(models, monkeypatch):
    assert isinstance(hb.load(models / "decoder", hb.Decoder), hb.Decoder)
    monkeypatch.setattr("hornbook.models.folder.load_model", lambda *a: pytest.fail("opened"))
    with pytest.raises(
        hb.UsageError, match="is a classifier: it can classify, stream and decide, not"
    ):
        hb.load(models / "linear", hb.Decoder)
    with pytest.raises(
        hb.UsageError, match=r"an encoder: it can embed and stream, not classify. Make a classifier"
    ):
        hb.load(models / "encoder", hb.Classifier)
    with pytest.raises(hb.UsageError, match="Unknown weights 'int8'"):
        hb.load(models / "encoder", weights="int8")


def test_what_is_no_model(models, tmp_path, monkeypatch):
    monkeypatch.chdir(models)
    for path in ("linear", "decoder"):
        assert hb.load(path).path.name == path
    with pytest.raises(hb.UsageError, match=r"decodr does not exist. Did you mean 'decoder'"):
        hb.load("decodr")
    with pytest.raises(hb.UsageError, match=r"liner does not exist. Did you mean 'linear'"):
        hb.load("liner")
    with pytest.raises(hb.UsageError, match=r"is empty. A model is a folder with config.json"):
        hb.load(tmp_path)
    (tmp_path / "models" / "packed").mkdir(parents=True)
    (tmp_path / "models" / "packed" / "one.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    pulled = tmp_path / "models" / "a-pulled-model"
    pulled.symlink_to(models / "decoder")
    assert isinstance(hb.load("a-pulled-model"), hb.Decoder)
    with pytest.raises(hb.UsageError, match="Did you mean 'a-pulled-model'"):
        hb.load("a-pulled-modl")
    with pytest.raises(hb.UsageError, match=r"Did you mean 'packed'"):
        hb.load("paked")


def test_texts_side_by_side_are_what_each_is_alone(models):
    model = hb.load(models / "decoder", hb.Decoder)
    for options in ({"temperature": 0}, {"seed": 3, "temperature": 1.5, "stop": ["o"]}):
        alone = [model.generate(text, max_tokens=12, **options) for text in TEXTS]
        assert model.generate((text for text in TEXTS), max_tokens=12, **options) == alone
        assert len(set(alone)) == len(TEXTS)
        pieces = ["".join(model.stream(text, max_tokens=12, **options)) for text in TEXTS]
        drafted = model.generate(TEXTS, max_tokens=12, draft="lookup", **options)
        assert pieces == alone == drafted
        drafted = model.generate(TEXTS[:2], max_tokens=12, draft=model, **options)
        assert drafted == alone[:2]
    assert model.generate([]) == []
    with pytest.raises(hb.UsageError, match="is an encoder: it can embed"):
        model.generate("x", draft=hb.load(models / "encoder"))


def test_an_answer_says_how_it_ended(models):
    model = hb.load(models / "decoder", hb.Decoder)
    stream = model.stream("the", max_tokens=3, temperature=0)
    text = "".join(stream)
    (answer, other) = model.answers(["the", [{"role": "user", "content": "the"}]], max_tokens=3)
    assert stream.answer.text == text and stream.answer.finish_reason == "length"
    assert (len(answer.token_ids), answer.finish_reason, answer.complete) == (3, "length", True)
    assert len(other.prompt_ids) > len(answer.prompt_ids)


def test_a_conversation(models):
    model = hb.load(models / "decoder", hb.Decoder)
    turns = [{"role": "user", "content": "hi"}]
    assert model.chat(turns, max_tokens=4) == model.chat("hi", max_tokens=4)
    long = [turns[0], {"role": "assistant", "content": "books " * 60}, turns[0]]
    (answer,) = model.answers([long], max_tokens=4)
    assert answer.dropped_turns == 2
    for wrong in ([], [{"role": "user"}], ["hi"], [{"role": "user", "content": 3}], {}):
        with pytest.raises(hb.UsageError, match=r"needs a message|A message is a mapping"):
            model.chat(wrong)


def test_what_an_answer_must_be(models):
    model = hb.load(models / "decoder", hb.Decoder)
    found = model.generate(["a", "b"], choices=["好", "不好"], max_tokens=20)
    assert set(found) <= {"好", "不好"}
    schema = {"type": "array", "items": {"enum": [1]}, "minItems": 2, "maxItems": 2}
    assert json.loads(model.chat("x", json_schema=schema, max_tokens=40)) == [1, 1]
    with pytest.raises(hb.HornbookError, match="cut off before it was whole"):
        model.generate("x", regex="[0-9]{30}", max_tokens=3)
    (answer,) = model.answers(["x"], regex="[0-9]{30}", max_tokens=3)
    assert not answer.complete


def test_options_have_the_names_and_values_of_the_command_line(models):
    model = hb.load(models / "decoder", hb.Decoder)
    with pytest.raises(hb.UsageError, match=r"unknown key 'max_token'. Did you mean 'max_tokens'"):
        model.generate("x", max_token=3)
    with pytest.raises(hb.UsageError, match=r"temperature = -1"):
        model.stream("x", temperature=-1)
    with pytest.raises(hb.UsageError, match="Unknown weights 'int5'"):
        hb.load(models / "decoder", weights="int5")
    told = {*asked.AnswerOptions.__annotations__, "device", "weights"}
    for command, continues in ((generate.command, True), (chat.command, False)):
        parameters = signature(command).parameters
        assert told - parameters.keys() <= (set() if continues else {"top_logprobs"})  # of --json
        names = asked.AnswerOptions.__annotations__.keys() & parameters.keys()
        given = {name: parameters[name].default for name in names}
        assert asked.asked(given, continues) == asked.asked({}, continues)


@pytest.mark.parametrize("wrong", [None, 5, b"text", ["a", 5], ["a", None], {"a": 1}])
def test_what_is_no_text(models, wrong):
    for name, verb in (("decoder", "generate"), ("linear", "classify"), ("encoder", "embed"),
                       ("pairs", "translate")):  # fmt: skip
        with pytest.raises(hb.UsageError, match=r"Give a text|which is no text"):
            getattr(hb.load(models / name), verb)(wrong)


@pytest.mark.parametrize("name", ["linear", "network"])
def test_labels(models, name):
    model = hb.load(models / name, hb.Classifier)
    rows = model.classify(iter(TEXTS))
    assert [row.text for row in rows] == TEXTS and [row.empty for row in rows][3]
    for row in rows:
        assert tuple(row.probabilities) == model.labels == ("ham", "spam")
        assert row.probabilities[row.label] == row.probability
        assert sum(row.probabilities.values()) == pytest.approx(1)
    assert model.classify(TEXTS[0]).probability == pytest.approx(rows[0].probability, abs=1e-6)
    assert model.classify([]) == []


def test_half_a_character_is_no_text(models):
    for name, verb in (("decoder", "generate"), ("network", "classify"), ("encoder", "embed")):
        with pytest.raises(hb.HornbookError, match="half a surrogate pair"):
            getattr(hb.load(models / name), verb)("\ud800")


def test_scores_of_pairs(models):
    model = hb.load(models / "cross", hb.Reranker)
    scores = model.rerank("the hornbook", iter(TEXTS))
    assert scores.shape == (5,) and scores.dtype == np.float32 and np.isfinite(scores).all()
    alone = [model.rerank("the hornbook", [text])[0] for text in TEXTS]
    assert np.allclose(scores, alone, atol=1e-2)
    assert model.rerank("the hornbook", []).shape == (0,)
    for question, texts in (("x", [5]), (5, ["x"]), ("x", None)):
        with pytest.raises(hb.UsageError, match=r"Give a text|which is no text"):
            model.rerank(question, texts)
    with pytest.raises(hb.HornbookError, match="half a surrogate pair"):
        model.rerank("x", ["\ud800"])


def test_vectors(models):
    model = hb.load(models / "encoder", hb.Encoder)
    vectors = model.embed(iter(TEXTS))
    assert vectors.shape == (5, 16) and vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, [1, 1, 1, 0, 1], atol=1e-5)  # an empty text says nothing
    assert np.allclose(model.embed(TEXTS[1]), vectors[1], atol=1e-5)
    assert model.embed([]).shape == (0, 16)
    assert [bool(cut) for cut in next(model.stream(TEXTS)).cut] == [False] * 4 + [True]
    with pytest.raises(hb.UsageError, match="--longest 25: must be 1 to 24"):
        model.embed(TEXTS, longest=25)


def test_translations(models):
    model = hb.load(models / "pairs", hb.Translator)
    found = model.translate(TEXTS, beam=2, max_tokens=5)
    assert len(found) == 5 and found[3] == ""
    assert model.translate(TEXTS[0], beam=2, max_tokens=5) == found[0]
    assert model.translate([]) == []
    (one,) = model.translations(["a\nb"], beam=1)
    assert one == model.translations(["a b"], beam=1)[0]
    with pytest.raises(hb.UsageError, match=r"Unknown option 'beem'. Did you mean 'beam'"):
        model.translate("x", beem=2)


def test_the_process_of_a_user_is_left_alone(models, capfd):
    before = dict(os.environ), torch.get_num_threads(), threading.active_count()
    for name in ABLE:
        opened = hb.load(models / name)
        verb = getattr(opened, ABLE[name][0])
        verb(*["the hornbook"] * (name == "cross"), TEXTS)
    assert (dict(os.environ), torch.get_num_threads(), threading.active_count()) == before
    assert capfd.readouterr() == ("", "")


def test_two_models_in_several_threads(models):
    one, two = (hb.load(models / "decoder", hb.Decoder) for _ in range(2))
    expected = one.generate(TEXTS, max_tokens=8)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda model: model.generate(TEXTS, max_tokens=8), [one, two, one, two])
        assert all(texts == expected for texts in found)


def test_decisions(models, tmp_path):
    decoder, linear = hb.load(models / "decoder", hb.Decoder), hb.load(models / "linear")
    several = ["Is it a book?", hb.Question("Which?", ("hornbook", "owl", "dawn"))]
    found = decoder.decide("the hornbook", several)
    assert [list(each.probabilities) for each in found] == [["yes", "no"], list(several[1].choices)]
    assert found[0] == decoder.decide("the hornbook", several[0])[0]
    (label,) = linear.decide("win money", "Which?")
    assert (label.choice, label.calibration) == ("spam", "classifier")
    assert label.probability == pytest.approx(linear.classify("win money").probability)
    assert linear.decide("x", "Which?", ["spam", "ham"])[0].probabilities.keys() == {"spam", "ham"}
    for wrong, message in ((["a?", "b?"], "it answers one question"), ("a?", "several texts")):
        with pytest.raises(hb.UsageError, match=message):
            linear.decide("x", wrong, "spam" if message == "several texts" else None)
    with pytest.raises(hb.UsageError, match=r"Unknown label 'span'. Did you mean 'spam'"):
        linear.decide("x", "a?", ["span", "ham"])
    rows = [json.dumps({"text": f"the book {i}", "label": "yn"[i % 2]}) for i in range(8)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "asked.txt").write_text("Is it so?\n\nIs it a book?\n")
    for name, options, count in (
        ("decoder", ["--questions", tmp_path / "asked.txt", "--score", "1-5"], 2),
        ("decoder", ["--question", "So?", "--choice", "y", "--choice", "n", "--examples",
                     tmp_path / "rows.jsonl"], 1),
        ("linear", ["--question", "Which?"], 1),
    ):  # fmt: skip
        code, out, err = run("decide", models / name, "the hornbook", *options, "--json")
        assert code == 0, err
        assert len(json.loads(out)["answers"]) == count
    for options, message in (
        ([], "There is nothing to decide"),
        (["--question", "a?", "--score", "5-1"], "a scale is two numbers"),
        (["--question", "a?", "--score", "1-5", "--choice", "x"], "not both"),
    ):
        code, _, err = run("decide", models / "decoder", "x", *options)
        assert code == 2 and message in err
    code, _, err = run("decide", models / "encoder", "x", "--question", "a?")
    assert code == 2 and "it can embed and stream, not decide" in err
