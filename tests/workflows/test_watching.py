"""An index that is watched follows its sources, whoever else writes it meanwhile."""

import threading

import pytest

from hornbook.core.progress import Progress
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.lock import WRITER_LOCK, locked
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from hornbook.workflows.documents.watching import keep_up

QUIET = Progress(quiet=True)


class Stopped(Exception):
    """As Ctrl-C would."""


@pytest.fixture
def watched(tmp_path):
    """Changes a folder, as a function says, until a run of its index has taken that over."""
    docs, index = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    (docs / "a.txt").write_text("The lighthouse stands on the cliff.")
    request = IndexRequest((str(docs),), encoder="none")
    make_index(request, index, QUIET)

    def until(change, done):
        changed = threading.Timer(0.05, change, [docs, index])
        changed.start()

        def tell(report):
            if done(report):
                raise Stopped

        with pytest.raises(Stopped):
            keep_up(request, index, QUIET, tell, every_s=0.02)
        changed.join()
        with DocumentIndex.open(index) as opened:
            return [(hit.source.rpartition("/")[2], hit.text) for hit in opened.search("cliff sea")]

    return until


def test_what_is_added_and_renamed_is_followed(watched):
    def added(docs, index):
        (docs / "b.txt").write_text("The sea is cold.")

    found = dict(watched(added, lambda report: report.documents == 2))
    assert found["b.txt"] == "The sea is cold."

    def renamed(docs, index):
        (docs / "b.txt").rename(docs / "c.txt")

    found = dict(watched(renamed, lambda report: report.moved))
    assert found["c.txt"] == "The sea is cold."
    assert "b.txt" not in found


def test_changes_wait_for_another_writer(watched):
    """As for a search that finds the words behind, or a second `hornbook index`."""

    def held(docs, index):
        lock = locked(index / WRITER_LOCK)
        (docs / "a.txt").unlink()
        threading.Timer(0.4, lock.close).start()

    assert watched(held, lambda report: report.removed) == []
