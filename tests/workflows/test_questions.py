"""Tuning an encoder on questions: it finds their passages afterwards, and opens elsewhere."""

import itertools
import json

import numpy as np
import pytest

import hornbook as hb
from hornbook.core.progress import Progress
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.models.prompts import write_prompts
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.open import reranker as opened
from tests.in_process import hornbook

WORDS = {"rot": "red", "blau": "blue", "Haus": "house", "Fluss": "river", "Hund": "dog",
         "Brot": "bread", "Wald": "wood", "Berg": "hill"}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    rows = [
        {"question": f"{one} {other}", "passage": f"The {WORDS[one]} and the {WORDS[other]}."}
        for one, other in itertools.permutations(WORDS, 2)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train_tokenizer([json.dumps(rows)] * 2, 400, folder / "tokenizer", Progress(quiet=True))
    sizes = BertSizes(vocab=400, width=32, depth=1, context=32, heads=2, hidden=48)
    save_model(bert(sizes).build(), folder / "model", tokenizer_folder=folder / "tokenizer")
    write_prompts(folder / "model", {"query": "query: ", "passage": "passage: "})
    return folder


def test_words_without_letters_in_common_are_put_together(made, tmp_path):
    code, out, err = hornbook(
        "finetune", made / "model", "--task", "embed", "--data", made / "rows.jsonl",
        "--epochs", "40", "--rate", "0.01", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(out)
    held = result["held_out"]
    assert held["mrr@10"]["change"]["low"] > 0, held
    assert held["questions"] == result["data"]["test"]
    assert (tmp_path / "run" / "report.html").is_file()
    encoder = hb.load(tmp_path / "run")
    assert encoder.prompts.of("query") == "query: "
    question, right, wrong = (
        encoder.embed("rot Haus", prompt="query"),
        encoder.embed("The red and the house.", prompt="passage"),
        encoder.embed("The dog and the hill.", prompt="passage"),
    )
    assert np.dot(question, right) > np.dot(question, wrong)


def test_what_cannot_be_tuned_is_said_before(made, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text('{"question": "q", "passage": "p"}\n')
    for data, more, said in (
        (few, (), "too few"),
        (made / "rows.jsonl", ("--method", "head"), "no head"),
        (made / "rows.jsonl", ("--beta", "0.2"), "--beta"),
        (made / "rows.jsonl", ("--label-column", "x"), "classify"),
        (made / "rows.jsonl", ("--context", "33"), "32 tokens"),
    ):
        code, _, err = hornbook(
            "finetune", made / "model", "--task", "embed", "--data", data, "--out",
            tmp_path / "never", *more,
        )  # fmt: skip
        assert (code, said in err) == (2, True), (more, err)


@pytest.fixture(scope="module")
def cross(tmp_path_factory):
    """A run that made a cross-encoder. What answers "is X open" says yes; words alone prefer what
    repeats the question."""
    folder = tmp_path_factory.mktemp("cross")
    names = [a + b for a in ("ka", "lo", "mi", "ru", "te", "so", "na") for b in
             ("ben", "dor", "fil", "gum", "hax", "jot", "lep")]  # fmt: skip
    rows = [{"question": f"is {name} open", "passage": f"{name} yes."} for name in names]
    rows += [{"question": f"tell {n}", "passage": f"{n} open {n} open."} for n in names]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train_tokenizer([json.dumps(rows)] * 2, 400, folder / "tokenizer", Progress(quiet=True))
    sizes = BertSizes(vocab=400, width=32, depth=1, context=32, heads=2, hidden=48)
    save_model(bert(sizes).build(), folder / "model", tokenizer_folder=folder / "tokenizer")
    code, said, err = hornbook(
        "finetune", folder / "model", "--task", "rerank", "--data", folder / "rows.jsonl",
        "--epochs", "5", "--rate", "0.003", "--out", folder / "run", "--json",
    )  # fmt: skip
    assert code == 0, err
    return folder / "run", json.loads(said)


def test_a_cross_encoder_learns_what_words_do_not_tell(cross):
    run, result = cross
    held = result["held_out"]
    assert result["task"] == "rerank" and held["questions"] == result["data"]["test"]
    change = held["mrr@10"]["after"]["value"] - held["mrr@10"]["before"]["value"]
    assert held["mrr@10"]["change"]["value"] == pytest.approx(change)
    assert held["mrr@10"]["change"]["low"] > 0, held
    assert "cross-encoder" in (run / "model" / "README.md").read_text()
    assert json.loads((run / "model" / "rerank.json").read_text())["weight"] > 0
    assert (run / "report.html").is_file()


def test_a_cross_encoder_opens_here_and_elsewhere(cross, monkeypatch):
    import torch
    import transformers

    run, _ = cross
    fast = hb.load(run)
    monkeypatch.setattr(opened, "has_bfloat16", lambda: False)
    reranker = hb.load(run)
    texts = ["The red and the house.", "The dog and the hill.", "red " * 60]
    found = reranker.rerank("rot Haus", texts)
    assert found.shape == (3,) and len(set(found.tolist())) == 3
    theirs = transformers.BertForSequenceClassification.from_pretrained(run / "model")
    for text, score in zip(texts, found, strict=True):
        (pair,) = reranker.tokenizer.encode_pairs([("rot Haus", text)], 32)
        with torch.no_grad():
            logits = theirs(
                torch.tensor(pair.ids[None]), token_type_ids=torch.tensor(pair.types[None])
            )
        assert float(logits.logits) == pytest.approx(score, abs=1e-4)
    assert fast.rerank("rot Haus", texts) == pytest.approx(found, abs=0.1)
    with pytest.raises(AttributeError, match="a reranker: it can rerank, not classify"):
        reranker.classify("text")


def test_a_search_is_ranked_anew(cross, tmp_path):
    run, _ = cross
    for name, text in (("often", "kaben open kaben open."), ("right", "kaben yes.")):
        (tmp_path / f"{name}.txt").write_text(text)
    index, asked = tmp_path / "index", "is kaben open"
    made = hornbook(
        "index", tmp_path / "often.txt", tmp_path / "right.txt", "--out", index, "--encoder", "none"
    )
    assert made[0] == 0, made
    sources = []
    for more in ((), ("--rerank", run)):
        code, said, err = hornbook("search", index, asked, "--json", *more)
        assert code == 0, err
        found = json.loads(said)
        sources.append([hit["source"].rsplit("/", 1)[1] for hit in found["hits"]])
    assert sources == [["often.txt", "right.txt"], ["right.txt", "often.txt"]]
    assert found["rerank"] == str(run) and found["hits"][0]["rerank"] > found["hits"][1]["rerank"]
    questions = tmp_path / "q.jsonl"
    row = json.dumps({"question": asked, "documents": ["right.txt"]}) + "\n"
    questions.write_text(row * 2)
    code, said, err = hornbook(
        "evaluate", index, "--task", "retrieval", "--data", questions, "--rerank", run, "--json"
    )
    assert code == 0, err
    result = json.loads(said)
    assert result["by"] == "reranked" and set(result["floors"]) == {"words"}
    assert result["metrics"]["mrr@10"]["value"] == 1
    assert result["floors"]["words"]["mrr@10"]["value"] == 0.5
    assert result["gain_of_reranking"]["mrr@10"]["value"] == 0.5


def test_a_question_with_nothing_wrong_beside_it_teaches_nothing(made, tmp_path):
    rows = [{"question": "same", "passage": f"The {n}. house."} for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = hornbook(
        "finetune", made / "model", "--task", "rerank", "--data", tmp_path / "rows.jsonl",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert (code, "No question has a passage" in err) == (2, True), err


def test_what_ranks_nothing_is_refused(made, tmp_path):
    (tmp_path / "a.txt").write_text("A house.")
    assert (
        hornbook("index", tmp_path / "a.txt", "--out", tmp_path / "i", "--encoder", "none")[0] == 0
    )
    for arguments, said in (
        (("search", tmp_path / "i", "house", "--rerank", made / "model"), "not rerank"),
        (("search", tmp_path / "i", "house", "--rerank", tmp_path / "none"), "none"),
        (("evaluate", made / "model", "--task", "choice", "--rerank", "x"), "--rerank"),
    ):
        code, _, err = hornbook(*arguments)
        assert (code, said in err) == (2, True), (arguments, err)
