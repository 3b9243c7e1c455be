"""`hornbook evaluate INDEX --task retrieval`: what is judged, in each form of questions."""

import json

import pytest

from hornbook.core.progress import Progress
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.in_process import hornbook

TEXTS = {
    "7": "Otters hold hands while they sleep on their backs in the kelp.",
    "a": "The tenant gives notice of three months before the lease ends.",
    "c": "Insulin lowers the sugar in the blood after a meal.",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    rows = [json.dumps({"_id": name, "text": text}) for name, text in TEXTS.items()]
    (folder / "docs.jsonl").write_text("\n".join(rows), encoding="utf-8")
    request = IndexRequest((str(folder / "docs.jsonl"),), encoder="none")
    make_index(request, folder / "index", Progress(quiet=True))
    return folder / "index"


def asked(index, data, *more):
    code, out, err = hornbook(
        "evaluate", str(index), "--task", "retrieval", "--data", str(data), "--json", *more
    )
    return code, json.loads(out), err


def written(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def beir(tmp_path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    queries = [
        {"_id": "1", "text": "When does the tenant give notice?"},
        {"_id": "2", "text": "Which animals hold hands?"},
        {"_id": "3", "text": "not judged"},
    ]
    written(folder / "queries.jsonl", queries)
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\ta\t1\n2\t7\t1\n2\tc\t0\n3\tgone\t1\n"
    )
    return folder


def test_judgements_name_documents(index, beir, tmp_path):
    code, result, _ = asked(index, beir, "--out", str(tmp_path / "out"))
    assert code == 0
    assert (result["n"], result["by"]) == (2, "words")
    assert result["metrics"]["ndcg@10"]["value"] == result["metrics"]["hit@1"]["value"] == 1
    rows = (tmp_path / "out" / "samples_retrieval.jsonl").read_text().split("\n")[:-1]
    assert [json.loads(row)["words"]["mrr@10"] for row in rows] == [1, 1]


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"question": "sleeping otters", "documents": ["7"]}, 1),
        ({"question": "sleeping otters", "documents": "c"}, 0),
        (
            {
                "query": "insulin",
                "context": "Insulin lowers the sugar\n in the blood after a meal.",
            },
            1,
        ),
        ({"query": "insulin", "context": "Otters hold hands."}, 0),
        ({"question": "when does the lease end", "answers": ["three  months"]}, 1),
        ({"question": "when does the lease end", "answers": ["kelp"]}, 0),
    ],
)
def test_rows_say_what_answers(index, tmp_path, row, right):
    code, result, _ = asked(index, written(tmp_path / "q.jsonl", [row]))
    assert code == 0
    assert result["metrics"]["hit@1"]["value"] == right


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "otters"}, "Valid: documents, context, answers"),
        ({"title": "otters"}, "no question"),
        ({"question": "otters", "documents": ["77"]}, "'77'"),
    ],
)
def test_a_row_that_cannot_be_judged_is_named(index, tmp_path, row, said):
    code, result, _ = asked(index, written(tmp_path / "q.jsonl", [row]))
    assert code == 2
    assert said in result["error"]


def test_what_is_wrong_with_judgements_is_said(index, beir, tmp_path):
    code, result, _ = asked(index, beir, "--set", "split=dev")
    assert (code, "test" in result["error"]) == (2, True)
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tgone\t1\n")
    code, result, _ = asked(index, beir)
    assert (code, "None of the 1 documents" in result["error"]) == (2, True)
    code, result, _ = asked(index, tmp_path)
    assert (code, "queries.jsonl" in result["error"]) == (2, True)


def test_tasks_for_models_are_not_for_indexes_nor_the_other_way_round(index, tmp_path):
    assert hornbook("evaluate", str(index), "--task", "lambada")[0] == 2
    code, _, err = hornbook("evaluate", str(tmp_path), "--task", "retrieval")
    assert (code, "no index" in err) == (2, True)
