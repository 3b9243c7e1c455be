"""A text is looked for in what a run was trained on."""

import pytest

from hornbook.core.config import read_recipe
from hornbook.core.yaml_text import write_yaml
from hornbook.corpus.build import build
from tests.serve.studio.conftest import HOSTILE
from tests.tiny import QUIET, sentences


@pytest.mark.slow
def test_a_text_is_found_where_it_stands(studio, tmp_path):
    folder = sentences(tmp_path / "text", "The {} reads the {} and the {} until it is tired. ")
    (folder / "hostile.txt").write_text(f"A page of its own: {HOSTILE} stands here. " * 3)
    build([folder], tmp_path / "corpus", progress=QUIET)
    recipe = studio.folder / "tablet" / "recipe.yaml"
    places = {"places": {"corpus": str(tmp_path / "corpus")}}
    recipe.write_text(write_yaml({**read_recipe(recipe), **places}))
    text = f"A page of its own: {HOSTILE} stands here."
    found = studio.post("/understand/trace", {"run": "tablet", "text": text})
    assert found.status_code == 200 and "hostile.txt" in found.text, found.text
    assert "<script>document" not in found.text and "&lt;script&gt;document" in found.text


def test_what_cannot_be_looked_for_is_said(studio):
    assert "<option>deep/letters" in studio.get("/understand").text
    part = {"headers": {"HX-Request": "true"}}
    for run in ("deep/letters", "nothing", "../tablet"):
        found = studio.post("/understand/trace", {"run": run, "text": "a text"}, **part)
        assert 'role="alert"' in found.text
