"""Leakage: what was trained on is found again, and what is tested is held out of corpora."""

import pytest

from hornbook.core.errors import UsageError
from hornbook.core.home import home
from hornbook.corpus.decontaminate import evaluation_files
from hornbook.evaluate.leakage import find_leaks
from hornbook.evaluate.register import register

LONG = "the quick brown fox jumps over the lazy dog while nine old men look on from a bench"
OTHER = "an entirely different sentence about ships and harbours that nobody has ever heard before"
CHINESE = "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少"


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))


def test_same_and_quoted_items_leak_and_others_do_not():
    items = [LONG, "Ok, lar!", OTHER, CHINESE, LONG, "???"]
    training = ["OK LAR", f"He read: {LONG.upper()}. Then he left.", f"詩曰：{CHINESE}。", "!!!"]
    found = find_leaks(items, training)
    assert found.leaked == {0, 1, 3, 4}
    assert (found.texts, found.too_short) == (4, 2)


def test_a_few_words_in_common_are_no_leak():
    assert not find_leaks([LONG], [" ".join(LONG.split()[:9]), OTHER]).leaked
    assert not find_leaks([LONG], []).leaked


def test_files_are_held_out_of_corpora_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = tmp_path / "a" / "t.jsonl", tmp_path / "b" / "t.jsonl"
    one.write_text('{"text": "one"}\n')
    other.write_text('{"text": "other"}\n')
    link = register(one)
    assert link == home() / "evaluations" / "t.jsonl" and link.resolve() == one.resolve()
    assert register(one) is None
    second = register(other)
    assert second is not None and second.name.endswith("-t.jsonl") and second != link
    assert register(other) is None
    assert [file.read_text() for file in evaluation_files([])] == [
        file.read_text() for file in sorted([link, second])
    ]
    one.unlink()
    one.write_text('{"text": "moved"}\n')
    assert register(one) is None, "the link leads to the file, whatever it holds"


def test_a_file_that_was_moved_is_told_before_a_corpus_is_built(tmp_path):
    file = tmp_path / "moved.jsonl"
    file.write_text('{"text": "one"}\n')
    link = register(file)
    file.rename(tmp_path / "elsewhere.jsonl")
    try:
        with pytest.raises(UsageError, match=f"{file} was evaluated on and has been moved"):
            evaluation_files([])
    finally:
        link.unlink()
    evaluation_files([])


def test_without_links_the_file_is_copied(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    (tmp_path / "t.jsonl").write_text("{}")
    link = register(tmp_path / "t.jsonl")
    assert link is not None and not link.is_symlink() and link.read_text() == "{}"
    assert register(tmp_path / "t.jsonl") is None
    assert [path.name for path in link.parent.iterdir()] == ["t.jsonl"]
