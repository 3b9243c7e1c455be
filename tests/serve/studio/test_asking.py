"""Documents that are asked: which there are, and what a form may name."""

import pytest

from hornbook.retrieve.writer import IndexWriter
from hornbook.serve.config import ServeConfig
from hornbook.serve.studio.config import StudioConfig, StudioState
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.serve.studio.conftest import HOSTILE
from tests.tiny import QUIET


@pytest.fixture(scope="module")
def asked(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    text = f"The filing fee is 300 euros {HOSTILE}.\n\nA hearing takes place in public."
    (folder / "fees.txt").write_text(text)
    make_index(IndexRequest((str(folder),), encoder="none"), studio.folder / "rules", QUIET)
    return studio


def test_an_answer_stands_beside_its_text(asked):
    text = asked.get("/ask").text
    assert "<option selected>rules" in text and "1 documents" in text
    found = asked.post(
        "/ask/answer", {"index": "rules", "question": "Is the filing fee 300 euros?"}
    )
    assert "300 euros" in found.text and "<mark>" in found.text
    assert "<script>document" not in found.text and "<img src=x" not in found.text
    found = asked.post("/ask/answer", {"index": "rules", "question": HOSTILE})
    assert "<script>document" not in found.text
    found = asked.post(
        "/ask/answer", {"index": "rules", "question": " "}, headers={"HX-Request": "true"}
    )
    assert 'role="alert"' in found.text


def test_nothing_is_asked_before_there_is_something(studio):
    """An index appears with its first commit, when no document is in it yet."""
    (studio.folder / "begun").mkdir()
    with IndexWriter(studio.folder / "begun"):
        state = studio.get("/ask/now?index=begun&fresh=true").text
        assert "0 documents" in state and "Ask them now" not in state
        page = studio.get("/ask?index=begun").text
        assert "fresh=true" in page and 'id="question"' not in page
        found = studio.post("/ask/answer", {"index": "begun", "question": "What is the fee?"})
        assert "so far" in found.text


def test_only_known_indexes_are_asked_and_added_to(asked, tmp_path):
    for name in ("", "../rules", "/etc", str(tmp_path), "tablet"):
        assert asked.post("/ask/answer", {"index": name, "question": "x"}).status_code == 404
        form = {"index": name, "name": "../x", "paths": "relative"}
        assert asked.post("/ask/add", form).status_code == 400


def test_indexes_of_the_start_go_by_their_whole_path(asked, tmp_path):
    config = StudioConfig(folder=tmp_path, indexes=(asked.folder / "rules",))
    state = StudioState(config)
    assert list(state.indexes()) == [str(asked.folder / "rules")]
    assert state.documents(asked.folder / "rules", ServeConfig()).to_search().state().documents == 1
    state.close()
