"""Models that are talked to: those of the start, and those that were finished since."""

from hornbook.serve.config import ServeConfig
from hornbook.serve.shelf import Shelf
from hornbook.serve.studio.jobs import Jobs
from hornbook.serve.studio.talk import take_in
from hornbook.serve.studio.work_folder import WorkFolder
from tests.serve.studio.conftest import open_studio
from tests.tiny import every_kind


def test_without_a_model_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    with open_studio(tmp_path / "work") as studio:
        text = studio.get("/talk").text
    assert "There is no model to talk to yet" in text and "<select" not in text


def test_a_model_that_came_since_is_taken_in(tmp_path, monkeypatch):
    every_kind(tmp_path / "work")
    (tmp_path / "work" / "decoder").rename(tmp_path / "work" / "model")
    (tmp_path / "work" / "mine").mkdir()
    (tmp_path / "work" / "model").rename(tmp_path / "work" / "mine" / "model")
    (tmp_path / "work" / "broken").mkdir()
    (tmp_path / "work" / "broken" / "config.json").write_text("{}")
    work = WorkFolder(tmp_path / "work", Jobs(tmp_path / "work"))
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "work" / "linear").rename(tmp_path / "home" / "models" / "fetched")
    shelf = Shelf({}, ServeConfig())
    take_in(shelf, work)
    assert shelf.names_that("generate") == ["mine"]
    assert {"fetched", "network"} <= set(shelf.places) and "broken" not in shelf.places
    shelf.close()


def test_each_use_has_its_page_and_says_what_lacks(studio):
    for use, said in (("translate", "translates yet"), ("classify", "no classifier yet")):
        assert said in studio.get(f"/talk?use={use}").text
    assert studio.get("/talk?use=other").status_code == 404
