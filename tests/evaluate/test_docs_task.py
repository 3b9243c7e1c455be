"""The task on the page about rows is one."""

import re
from pathlib import Path

import pytest

from hornbook.evaluate.load import load_task

DOCS = Path(__file__).parents[2] / "docs"
ROW = {
    "sentence": "The cup is not in the bag, as the _ is small.",
    "option1": "cup",
    "option2": "bag",
}


@pytest.mark.parametrize("page", ["tables.md", "tables.zh.md"])
def test_it_is_read_as_the_page_says(tmp_path, page):
    text = (DOCS / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"(?m)^    kind: contexts\n(?:    .*\n)+", text)
    (tmp_path / "t.yaml").write_text(re.sub(r"(?m)^    ", "", block), encoding="utf-8")
    task = load_task(str(tmp_path / "t.yaml")).task
    shown = "The cup is not in the bag, as the bag is small."
    assert task.shown({**ROW, "answer": "2"}) == task.shown({**ROW, "answer": 2}) == shown
