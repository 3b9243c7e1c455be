"""Corpora: documents by pages, traces, and a review that is the command's."""

import html
import json
import time

import pytest

from hornbook.corpus.build import build
from hornbook.corpus.listing import (
    dropped_documents,
    kept_documents,
    show_document,
    unread_records,
)
from hornbook.corpus.review import answers_in
from hornbook.corpus.trace import trace_document
from tests.serve.studio.conftest import open_studio
from tests.serve.studio.hostile import NAME, RECIPE, RULE, write_corpus
from tests.tiny import QUIET


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    (folder / "work").mkdir()
    write_corpus(folder / "text", folder / "work" / "corpus")
    with open_studio(folder / "work") as found:
        yield found


def test_documents_come_by_pages(studio):
    corpus = studio.folder / "corpus"
    card = json.loads((corpus / "card.json").read_text())["documents"]
    kept = kept_documents(corpus, 0, 100)
    assert len(kept) == card["kept"] == 8
    assert [*kept_documents(corpus, 0, 3), *kept_documents(corpus, 3, 100)] == kept
    assert kept_documents(corpus, 8, 5) == []
    for reason, count in card["dropped"].items():
        found = dropped_documents(corpus, reason, 0, 100) or unread_records(corpus, reason, 0, 100)
        assert len(found) == count, reason
        assert dropped_documents(corpus, reason, 1, 1) == found[1:2] or count == 1
    ids = {one.id for one in kept} | {
        one.id for reason in card["dropped"] for one in dropped_documents(corpus, reason, 0, 100)
    }
    assert len(ids) == 13


def test_a_document_is_shown_with_what_was_measured(studio):
    corpus = studio.folder / "corpus"
    for one in kept_documents(corpus, 0, 100):
        shown = show_document(corpus, trace_document(corpus, one.id))
        assert shown.trace["kept"] and shown.text.startswith(one.text[:100])
        assert shown.measured[RULE] >= 40
    reasons = json.loads((corpus / "card.json").read_text())["documents"]["dropped"]
    for reason in reasons:
        for one in dropped_documents(corpus, reason, 0, 100):
            shown = show_document(corpus, trace_document(corpus, one.id))
            assert shown.trace["reason"] == reason and shown.measured


def test_pages_of_documents(studio):
    found = studio.get("/corpus/documents?id=corpus")
    assert "8 in all" in found.text and found.text.count("<article") == 8
    for at in (2, 10**6, -1, 0):
        found = studio.get(f"/corpus/documents?id=corpus&at={at}")
        assert found.status_code == (400 if at > 1 else 200)
    assert studio.get("/corpus/documents?id=nothing").status_code == 404
    found = studio.get("/corpus/document", params={"id": "corpus", "document": "nothing"})
    assert found.status_code == 400 and "never saw a document" in found.text


def test_a_review_is_kept_as_the_commands(studio):
    place, answers = f"/corpus/review?id=corpus&rule={RULE}", studio.folder / "corpus.review.jsonl"
    for number in range(4):
        text = studio.get(place).text
        assert f"{number} of 13 answered" in text
        document = html.unescape(text.split('name="document" value="')[1].split('"')[0])
        form = {"id": "corpus", "rule": RULE, "document": document, "good": "yn"[number % 2]}
        assert studio.post("/corpus/review", form).status_code == 303
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["good"] for row in rows] == [True, False] * 2
    assert all((row["value"] < 40) == row["dropped"] for row in rows)
    again = {**form, "good": "y"}
    assert studio.post("/corpus/review", again).status_code == 303
    found = answers_in(answers, RULE)
    assert len(found) == 4 and found[document].good and list(found)[-1] == document
    assert studio.post("/corpus/review", {**form, "document": NAME}).status_code == 400
    assert studio.post("/corpus/review", {**form, "rule": "gopher_symbols"}).status_code == 400
    assert len(answers.read_text().splitlines()) == 5


def test_a_new_corpus_is_refused_before_it_begins(studio, tmp_path):
    form = {"name": "corpus", "paths": str(tmp_path), "recipe": ""}
    for wrong in ({}, {"name": "../x"}, {"name": "new", "recipe": "other"}, {"paths": "x"}):
        found = studio.post("/corpora", form | wrong)
        assert found.status_code == 400 and 'role="alert"' in found.text
    assert not (studio.folder / "new").exists()


@pytest.mark.slow
def test_a_hundred_thousand_documents_cost_no_more_than_what_is_shown(tmp_path):
    """Every page within a second of the processor, also the first time."""
    words = [f"word{i}" for i in range(500)]
    (tmp_path / "text").mkdir()
    with (tmp_path / "text" / "a.jsonl").open("w") as lines:
        for i in range(100_000):
            text = " ".join(words[(i * step) % 500] for step in range(1, 10 + i % 60))
            lines.write(json.dumps({"text": f"{text} {i}"}) + "\n")
    build([tmp_path / "text"], tmp_path / "work" / "corpus", RECIPE, QUIET)
    dropped = "too few or too many words"
    id = f"{tmp_path}/text/a.jsonl"
    with open_studio(tmp_path / "work") as studio:
        for path, asked in (
            ("/corpora", {}),
            ("/corpus", {}),
            ("/corpus/documents", {"at": 1}),
            ("/corpus/documents", {"at": 1300}),
            ("/corpus/documents", {"reason": dropped, "at": 1300}),
            ("/corpus/document", {"document": f"{id}:99999"}),
            ("/corpus/document", {"document": f"{id}:60000"}),
            ("/corpus/document", {"document": "nothing"}),
            ("/corpus/review", {"rule": RULE}),
        ):
            began = time.process_time()
            found = studio.get(path, params={"id": "corpus", **asked})
            assert found.status_code == (400 if "nothing" in asked.values() else 200), found.text
            assert time.process_time() - began < 1, (path, asked)
