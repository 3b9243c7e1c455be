"""Models: what their files say, what can be pulled, what they can be written as."""

import json

import pytest

from hornbook.models.about import about
from hornbook.serve.studio.jobs import Jobs
from hornbook.serve.studio.model_list import all_models, certificate_of, offers
from hornbook.serve.studio.work_folder import WorkFolder
from hornbook.workflows.exchange.catalogue import CATALOGUE
from hornbook.workflows.exchange.export import forms_of
from tests.serve.studio.conftest import open_studio


@pytest.fixture(scope="session")
def kinds(folder):
    """A work folder with a model of each kind."""
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_a_model_says_of_itself(kinds):
    from hornbook.models.folder import load_config

    for name in ("decoder", "encoder", "masked", "network", "pairs"):
        found = about(kinds / name)
        assert found.parameters == load_config(kinds / name).parameters(), name
        assert found.stored == "F32" and found.bytes > 4 * found.parameters
    assert about(kinds / "decoder").context == 1024 and about(kinds / "decoder").family == "qwen3"
    assert about(kinds / "linear").family == "features"


def test_what_it_can_be_written_as(kinds):
    assert forms_of(kinds / "decoder")["hf"] == forms_of(kinds / "decoder")["gguf"] == ""
    assert "no run with --method lora" in forms_of(kinds / "decoder")["peft"]
    assert all(forms_of(kinds / "network").values())


def test_models_are_listed_with_where_they_come_from(kinds, home):
    (home / "models" / "smollm2-135m-instruct").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (home / "models" / "smollm2-135m-instruct" / name).hardlink_to(kinds / "decoder" / name)
    (home / "models" / "nothing").mkdir()
    work = WorkFolder(kinds, Jobs(kinds))
    found = {one.name: one for one in all_models(work, {"again": kinds / "decoder"})}
    assert found["decoder"].origin == "folder" and found["linear"].origin == "folder"
    pulled = found["smollm2-135m-instruct"]
    assert (pulled.origin, pulled.licence) == ("pulled", "Apache-2.0")
    assert "nothing" not in found and "again" not in found
    assert {one.name for one in offers()} == set(CATALOGUE) - {pulled.name}


def test_the_pages_of_models(kinds, home):
    with open_studio(kinds) as studio:
        text = studio.get("/models").text
        assert "decoder" in text and "smollm2-135m-instruct" in text
        text = studio.get("/model?origin=folder&name=decoder").text
        assert "writes text" in text and '<option value="gguf">' in text
        text = studio.get("/model?origin=folder&name=network").text
        assert "classifies" in text and "<select" not in text
        assert studio.get("/model?origin=pulled&name=decoder").status_code == 404
        for name in ("x", "", "../x", "https://example.org/x", "hf:/x"):
            assert studio.post("/models/pull", {"name": name}).status_code == 400
        form = {"origin": "folder", "name": "decoder", "to": "gguf", "type": "q8_0", "file": "../x"}
        assert studio.post("/model/export", form).status_code == 400
        form |= {"file": "x", "type": "q9"}
        assert studio.post("/model/export", form).status_code == 400


@pytest.mark.parametrize("broken", ["{", "[]", '{"parity": 1, "bytes": {}}', '{"parity": {}}'])
def test_a_broken_certificate_is_none(tmp_path, broken):
    (tmp_path / "x.gguf.parity.json").write_text(broken)
    (tmp_path / "x.gguf").write_text("")
    assert certificate_of(tmp_path / "x.gguf") is None


def test_a_broken_model_is_listed_with_what_is_wrong(tmp_path, home):
    for name, text in (("cut", "{"), ("list", "[]"), ("empty", "{}")):
        (tmp_path / "work" / name).mkdir(parents=True)
        (tmp_path / "work" / name / "config.json").write_text(text)
    (tmp_path / "work" / "empty" / "model.safetensors").write_bytes(b"no tensors")
    (tmp_path / "work" / "empty" / "x.gguf").write_bytes(b"GGUF")
    found = all_models(WorkFolder(tmp_path / "work", Jobs(tmp_path)), {})
    assert {one.name for one in found if one.fault} == {"cut", "list", "empty", "empty/x.gguf"}
    assert json.dumps([one.fault for one in found])
    with open_studio(tmp_path / "work") as studio:
        assert studio.get("/models").status_code == 200
        assert studio.get("/model?origin=folder&name=cut").status_code == 200
