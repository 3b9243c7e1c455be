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
