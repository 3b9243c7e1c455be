"""Comparisons: a table is looked at, wrong forms are refused at once, results are shown."""

import json

import pytest

from hornbook.core.errors import HornbookError
from hornbook.serve.studio.comparison import read_comparison, result_of

ROW = {
    "score": 0.75, "low": 0.7, "high": 0.8, "seconds": 1.0, "latency_ms": 1.0, "model_bytes": 9,
    "behind_best": {"accuracy": {"value": 0.0, "low": 0.0, "high": 0.1}, "p": 0.5},
}  # fmt: skip


def write_comparison(folder, **other):
    rows = [{**ROW, "name": "majority", "score": 0.5, "low": 0.45}, {**ROW, "name": "tfidf"}]
    result = {
        "task": "classify", "rows": [*rows, {"name": "gpt", "error": "no time"}], "labels": ["x"],
        "judged": 200, "smallest_difference": 0.07, "notes": [], "curve": [],
        "verdict": {"choose": "tfidf", "best": "tfidf", "reason": "Choose tfidf."}, **other,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_a_ladder_is_read_the_best_first(tmp_path):
    found = read_comparison(write_comparison(tmp_path / "x"))
    assert [row.name for row in found.rows] == ["tfidf", "majority"]
    assert found.measures["accuracy"] == (0.45, 0.8) and found.failed == [("gpt", "no time")]
    best, worst = (row.shown["accuracy"] for row in found.rows)
    assert best.end == 100 and worst.start == 0 and worst.start < worst.middle < best.middle


@pytest.mark.parametrize("wrong", [{"rows": 1}, {"verdict": {}}, {"rows": [{"score": "x"}]}])
def test_another_result_is_none_of_a_comparison(tmp_path, wrong):
    folder = write_comparison(tmp_path / "x", **wrong)
    with pytest.raises(HornbookError, match="no result of a comparison"):
        read_comparison(folder)
    (folder / "recipe.yaml").write_text("")
    assert result_of(folder) is None


def test_the_pages_of_comparisons(studio, tmp_path):
    write_comparison(studio.folder / "mails")
    assert "Recommended: tfidf" in studio.get("/compare").text
    text = studio.get("/comparison?id=mails").text
    assert text.index(">tfidf") < text.index(">majority") and 'class="chosen"' in text
    for id in ("tablet", "nothing", "../mails", ""):
        assert studio.get("/comparison", params={"id": id}).status_code == 404
    table = tmp_path / "mails.csv"
    table.write_text("subject,kind\n" + "".join(f"letter {i},{'ab'[i % 2]}\n" for i in range(20)))
    found = studio.post("/compare/look", {"paths": str(table)})
    assert "column subject" in found.text and "a: 10" in found.text
    form = {"paths": str(table), "name": "new", "minutes": "1"}
    wrong = [{"label_column": "x"}, {"minutes": "soon"}, {"minutes": "0"}, {"name": "mails"}]
    wrong += [{"paths": paths} for paths in ("", f"{table}\n{table}", f"{tmp_path}/none.csv")]
    for other in wrong:
        found = studio.post("/compare", form | other)
        assert found.status_code == 400 and 'role="alert"' in found.text, other
    assert not (studio.folder / "new").exists()
