"""An index that is watched follows its sources, whoever else writes it meanwhile."""

import time
from types import SimpleNamespace

import pytest

from hornbook.core.progress import Progress
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.lock import WRITER_LOCK, locked
from hornbook.workflows.documents import watching
from hornbook.workflows.documents.indexing import IndexRequest, make_index

QUIET = Progress(quiet=True)


class Stopped(Exception):
    """As Ctrl-C would."""


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Watches a folder, in which something happens before each look; what is then found in it, and
    what was told."""
    docs, index = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    (docs / "a.txt").write_text("The lighthouse stands on the cliff.")
    request = IndexRequest((str(docs),), encoder="none")
    make_index(request, index, QUIET)

    def after(*events):
        told, looks = [], iter(events)

        def sleep(seconds):
            try:
                next(looks)(docs, index)
            except StopIteration:
                raise Stopped from None

        clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
        monkeypatch.setattr(watching, "time", clock)
        with pytest.raises(Stopped):
            watching.keep_up(request, index, QUIET, told.append)
        with DocumentIndex.open(index) as opened:
            hits = opened.search("cliff sea")
        return {hit.source.rpartition("/")[2]: hit.text for hit in hits}, told

    return after


def nothing(docs, index):
    pass


def added(docs, index):
    (docs / "b.txt").write_text("The sea is cold.")


def renamed(docs, index):
    (docs / "b.txt").rename(docs / "c.txt")


def test_what_is_added_and_renamed_is_followed(watched):
    found, told = watched(nothing, added, nothing, renamed, nothing)
    assert found["c.txt"] == "The sea is cold."
    assert set(found) == {"a.txt", "c.txt"}
    assert [(report.read, report.moved) for report in told] == [(1, 0), (0, 1)]


def test_what_changed_before_the_first_look_is_seen(watched):
    found, told = watched(added)
    assert set(found) == {"a.txt", "b.txt"}
    assert len(told) == 1


def test_changes_wait_for_another_writer(watched):
    """As for a search that finds the words behind, or a second `hornbook index`."""
    locks = []

    def held(docs, index):
        locks.append(locked(index / WRITER_LOCK))
        (docs / "a.txt").unlink()

    def freed(docs, index):
        locks.pop().close()

    found, told = watched(nothing, held, nothing, freed, nothing)
    assert not found
    assert [report.removed for report in told] == [1]
