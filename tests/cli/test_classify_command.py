"""`hornbook classify` and `finetune --task classify`: texts in, labels out, mistakes in a line."""

import json

import pytest

from hornbook.baselines.linear_classifier import make
from tests.in_process import hornbook as run

GOOD, BAD = (
    ("sun joy gift", "calm bright sun", "joy joy"),
    ("rain grief", "storm debt", "dull rain"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    rows = [
        f"{words} {i},{label}"
        for i in range(20)
        for label, kinds in (("ja", GOOD), ("nein", BAD))
        for words in kinds
    ]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def tuned(data, tmp_path_factory):
    """A fresh recurrent model, trained by the command itself."""
    folder = tmp_path_factory.mktemp("run") / "run"
    code, out, err = run(
        "finetune", "lstm", "--task", "classify", "--data", data, "--epochs", 6, "--out", folder,
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(out)
    assert result["metrics"]["accuracy"]["value"] > 0.9
    assert "96 to train on, 12 to validate on, 12 to test on" in err
    return folder


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear") / "words"
    texts = [f"{words} {i}" for i in range(10) for words in (*GOOD, *BAD)]
    labels = ["ja" if any(w in text for w in GOOD) else "nein" for text in texts]
    make("naive_bayes").fit(texts, labels).save(folder)
    return folder


@pytest.mark.parametrize("kind", ["tuned", "linear"])
def test_texts_stdin_and_files_give_the_same_labels(kind, tmp_path, request):
    model = request.getfixturevalue(kind)
    texts = ["sun joy gift", "storm debt", "joy calm"]
    code, out, err = run("classify", model, *texts)
    assert code == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == ["ja", "nein", "ja"]
    assert [line[2] for line in lines] == texts
    assert all(0.5 < float(line[1]) <= 1 for line in lines)
    assert run("classify", model, text="\n".join(texts) + "\n")[1] == out
    (tmp_path / "t.txt").write_text("\n".join(texts))
    assert run("classify", model, "--file", tmp_path / "t.txt")[1] == out
    (tmp_path / "t.csv").write_text("id,words\n" + "".join(f"1,{text}\n" for text in texts))
    assert run("classify", model, "--file", tmp_path / "t.csv", "--column", "words")[1] == out
    rows = "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts)
    (tmp_path / "t.jsonl").write_text(rows)
    code, out, err = run("classify", model, "--file", tmp_path / "t.jsonl", "--json")
    found = json.loads(out)
    assert found["labels"] == ["ja", "nein"]
    assert [row["label"] for row in found["rows"]] == ["ja", "nein", "ja"]
    assert sum(found["rows"][0]["probabilities"].values()) == pytest.approx(1.0)


def test_empty_and_very_long_texts_are_said(tuned):
    code, out, err = run("classify", tuned, "--json", text="\n" + "sun " * 50_000 + "\nrain\n")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [row.get("empty", False) for row in rows] == [True, False, False]
    assert [row.get("cut", False) for row in rows] == [False, True, False]
    assert "1 of 3 texts are longer than the model reads" in err
    assert "1 of 3 texts are empty" in err


def test_mistakes_are_one_line_and_no_traceback(tuned, data, tmp_path):
    (tmp_path / "t.txt").write_text("x\n")
    (tmp_path / "bad.txt").write_bytes(b"fine\n\xff\xfa\n")
    for arguments, message in (
        (["nowhere", "x"], "nowhere does not exist"),
        ([tuned, "x", "--file", data], "not both"),
        ([tuned, "--file", tmp_path / "none.csv"], "does not exist or is no file"),
        ([tuned, "--file", data, "--column", "txt"], "Did you mean 'text'"),
        ([tuned, "--file", tmp_path / "t.txt", "--column", "text"], "has no columns"),
        ([tuned, "--file", tmp_path / "bad.txt"], "bad.txt, line 2: not UTF-8"),
        ([tuned, "--column", "text"], "--column goes with --file"),
    ):
        code, out, err = run("classify", *arguments)
        assert (code, out) == (2, ""), err
        assert message in err and "Traceback" not in err
    for arguments, message in (
        (["lsttm", "--data", data], "Did you mean 'lstm'"),
        (["lstm", "--data", data, "--label-column", "kind"], "no column 'kind'"),
        (["lstm", "--data", data, "--method", "head"], "begins afresh"),
        (["lstm", "--data", data, "--class-weights", "some"], "class_weights = 'some'"),
        (["lstm", "--data", data, "--beta", "0.2"], "--beta does not go with"),
    ):
        out_folder = tmp_path / "out"
        options = ["--task", "classify", "--out", out_folder]
        code, out, err = run("finetune", *arguments, *options)
        assert (code, out) == (2, ""), err
        assert message in err and "Traceback" not in err
        assert not out_folder.exists()
