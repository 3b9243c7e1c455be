"""The notebooks of docs/: their cells run, and what is stored in them is what cells gave."""

import ast
import json
from pathlib import Path

import pytest

from scripts.notebook import run_cells

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_from_top_to_bottom(path):
    text = path.read_text(encoding="utf-8")
    cells = code(json.loads(text))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        last = ast.parse("".join(cell["source"])).body[-1]
        assert cell["outputs"] or not isinstance(last, ast.Expr)
    assert "/tmp" not in text and "Traceback" not in text


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_cells_run_and_give_what_is_stored(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stored = json.loads(path.read_text(encoding="utf-8"))
    again = json.loads(json.dumps(stored))
    run_cells(again)
    for before, after in zip(code(stored), code(again), strict=True):
        kinds = [[output["output_type"] for output in cell["outputs"]] for cell in (before, after)]
        assert kinds[0] == kinds[1], before["source"]


def test_a_cell_gives_what_it_prints_and_its_last_value():
    cells = ["x = 2\nprint('a')\nx + 1", "y = x"]
    notebook = {"cells": [{"cell_type": "code", "source": [source]} for source in cells]}
    space = run_cells(notebook)
    printed, value = notebook["cells"][0]["outputs"]
    assert (printed["text"], value["data"]) == (["a\n"], {"text/plain": ["3"]})
    assert notebook["cells"][1]["outputs"] == [] and space["y"] == 2
