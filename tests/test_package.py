"""`import hornbook`: light, and every name that it promises is there, explained and documented."""

import subprocess
import sys
from pathlib import Path

import pytest

import hornbook

DOCS = Path(__file__).parent.parent / "docs"
IMPORT = """
import sys, time
began = time.perf_counter()
import hornbook as hb
seconds = time.perf_counter() - began
assert set(hb.__all__) <= set(dir(hb))
heavy = {"torch", "numpy", "pydantic", "tokenizers"} & sys.modules.keys()
assert not heavy, heavy
print(seconds)
"""


def test_importing_it_takes_no_time_and_nothing_heavy():
    def seconds():
        code = [sys.executable, "-c", IMPORT]
        return float(subprocess.run(code, capture_output=True, text=True, check=True).stdout)

    assert min(seconds() for _ in range(3)) < 0.1


@pytest.mark.parametrize("name", hornbook.__all__)
def test_a_public_name_is_there_and_explained(name):
    found = getattr(hornbook, name)
    assert found is getattr(hornbook, name) and found.__doc__ and found.__name__ == name
    for page in ("python.md", "python.zh.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert f"`{name}`" in text or f"hb.{name}" in text, page


def test_the_list_is_sorted_and_says_it_once():
    places = [name for names in hornbook._PLACES.values() for name in names]
    assert sorted(places) == hornbook.__all__
    with pytest.raises(AttributeError, match="module 'hornbook' has no attribute 'laod'"):
        _ = hornbook.laod
