"""`index --make-questions`, and what measures an index by such rows."""

import json

import pytest

from hornbook.retrieve.index import DocumentIndex
from hornbook.workflows.documents import question_set
from hornbook.workflows.documents.question_set import made_set
from tests.in_process import hornbook
from tests.tiny import QUIET, decoder_folder
from tests.workflows.test_ask import towns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towns")
    (folder / "docs").mkdir()
    for name, text in towns().items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    code, out, err = hornbook(
        "index", folder / "docs", "--out", folder / "index", "--encoder", "none",
        "--make-questions", folder / "questions.jsonl", "--questions", 30, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert "nobody has asked them" in err
    made = json.loads(out)["made_questions"]
    assert (made["questions"], made["by"], made["left_out"]) == (30, "rules", 0)
    assert 0.3 < made["shared"]["value"] < 0.95 and made["found"]["low"] <= made["found"]["value"]
    return folder


def rows(folder):
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_each_row_says_where_its_answer_stands(folder):
    with DocumentIndex.open(folder / "index") as index:
        number = {document.source: document.id for document in index.documents()}
        for row in rows(folder):
            (answer,) = row["answers"]
            assert index.text(number[row["source"]], row["start"], row["end"]) == answer
            assert answer in row["passage"] and row["question"]


def test_it_is_a_test_of_search_and_of_answers(folder, tmp_path):
    asked = ["--data", folder / "questions.jsonl", "--json", "--out", tmp_path / "r"]
    code, out, err = hornbook("evaluate", folder / "index", "--task", "retrieval", *asked)
    assert code == 0, err
    assert json.loads(out)["metrics"]["hit@5"]["value"] > 0.7
    code, out, err = hornbook("evaluate", folder / "index", "--task", "answers", *asked)
    assert code == 0, err
    found = json.loads(out)
    figures = {name: one["value"] for name, one in found["metrics"].items()}
    assert figures["valid_quotes"] == 1 and figures["exact_match"] <= figures["holds_answer"]
    assert figures["refused_wrongly"] < 0.3 < figures["refused_rightly"]
    assert figures["holds_answer"] > 0.25 and figures["right_place"] >= figures["holds_answer"]
    assert all(one["low"] <= one["value"] <= one["high"] for one in found["metrics"].values())
    samples = (tmp_path / "r" / "samples_answers.jsonl").read_text(encoding="utf-8")
    assert len(samples.splitlines()) == found["n"] == 30


def test_answers_of_squad_rows(folder, tmp_path):
    """The short answer stands in the sentence; without the passage the question is refused."""
    text = towns()["Leeds.txt"]
    year = text.split("built in ")[1].split(" ")[0]
    asked = [
        {"id": "1", "question": "When was the old bridge of Leeds built?",
         "answers": [{"text": year, "answer_start": 0}]},
    ]  # fmt: skip
    article = {"title": "Leeds", "paragraphs": [{"context": text, "qas": asked}]}
    data = tmp_path / "squad.json"
    data.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    code, out, err = hornbook(
        "evaluate", folder / "index", "--task", "answers", "--data", data, "--json"
    )
    assert code == 0, err
    figures = {name: one["value"] for name, one in json.loads(out)["metrics"].items()}
    assert (figures["holds_answer"], figures["right_place"], figures["exact_match"]) == (1, 1, 0)
    assert 0 < figures["f1"] < 1 and figures["refused_wrongly"] == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--set", "modell=x"], "Did you mean 'model'"), ([], "Say by --data which questions")],
)
def test_mistakes_of_a_measurement(folder, more, said):
    code, _, err = hornbook("evaluate", folder / "index", "--task", "answers", *more)
    assert code == 2 and said in err


def test_a_decoder_asks_and_what_is_no_question_is_left_out(folder, tmp_path, monkeypatch):
    model = decoder_folder(tmp_path, " ".join(towns().values()), depth=1, context=512)
    written = iter(range(1000))

    def answers(opened, tokenizer, ids, *others):
        """Every other time a question, else a statement."""
        return [f"Who built it in {n}?" if (n := next(written)) % 2 else "A town." for _ in ids]

    monkeypatch.setattr(question_set, "greedy_answers", answers)
    monkeypatch.setattr(
        question_set, "question_likelihoods", lambda decoder, texts, question: [-1.0, -2.0]
    )
    made = made_set(folder / "index", tmp_path / "q.jsonl", 10, model, QUIET)
    assert made.questions == 10 and made.by == str(model) and made.left_out in (9, 10)
    lines = (tmp_path / "q.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["question"].startswith("Who built it in") for line in lines)
    monkeypatch.setattr(
        question_set, "question_likelihoods", lambda decoder, texts, question: [-2.0, -1.0]
    )
    with pytest.raises(question_set.HornbookError, match="no sentence that a question"):
        made_set(folder / "index", tmp_path / "q.jsonl", 10, model, QUIET)


def test_mistakes(folder, tmp_path):
    (tmp_path / "own.jsonl").write_text("{}")
    made = ("index", "--out", folder / "index", "--make-questions")
    code, _, err = hornbook(*made, tmp_path / "own.jsonl")
    assert code == 2 and "not what Hornbook wrote" in err
    code, _, err = hornbook(*made, tmp_path / "new.jsonl", "--model", tmp_path / "none")
    assert code == 2 and "none" in err
    code, _, err = hornbook("index", "--out", folder / "index", "--model", "x")
    assert code == 2 and "--model goes with --make-questions" in err
