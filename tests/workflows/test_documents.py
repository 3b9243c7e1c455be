"""`hornbook index` and `search`: what changed is read, what is gone answers nothing."""

import json
import os
import subprocess
import sys
import time

import pytest

from hornbook.core.progress import Progress
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.store import FILE
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from hornbook.workflows.documents.watching import keep_up
from tests.in_process import hornbook

OLD = 1_600_000_000


def write(folder, **texts):
    """Files that are old enough for their dates to tell."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        os.utime(path, (OLD, OLD))


def index(out, *sources, **asked):
    request = IndexRequest(tuple(map(str, sources)), encoder="none", **asked)
    return make_index(request, out, Progress(quiet=True))


def found(out, query):
    with DocumentIndex.open(out) as opened:
        return [hit.source.rpartition("/")[2] for hit in opened.search(query)]


@pytest.fixture
def docs(tmp_path):
    write(
        tmp_path / "docs",
        lease="The tenant gives notice of three months.",
        otter="Otters sleep on their backs and hold hands.",
    )
    return tmp_path / "docs"


def test_an_unchanged_folder_is_not_read_again(docs, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert index(out, docs).read == 2
    import hornbook.workflows.documents.found as module

    monkeypatch.setattr(module, "content_mark", lambda file: pytest.fail("it was opened"))
    report = index(out, docs)
    assert (report.read, report.unchanged, report.documents) == (0, 2, 2)


def test_what_changed_is_read_and_what_is_gone_is_gone(docs, tmp_path):
    out = tmp_path / "out"
    index(out, docs)
    write(docs, lease="The landlord repairs the roof.", new="A heron stands in the water.")
    (docs / "otter.txt").unlink()
    report = index(out)
    assert (report.read, report.removed, report.removed_documents) == (2, 1, 1)
    assert not found(out, "otters") and not found(out, "tenant")
    assert found(out, "roofs") == ["lease.txt"] and found(out, "heron") == ["new.txt"]


def test_a_file_that_moved_is_not_read_again(docs, tmp_path):
    out = tmp_path / "out"
    index(out, docs)
    (docs / "otter.txt").rename(docs / "sleep.txt")
    report = index(out)
    assert (report.moved, report.read, report.removed) == (1, 0, 0)
    assert found(out, "otters") == ["sleep.txt"]


def test_sources_add_up_and_are_removed(docs, tmp_path):
    out, more = tmp_path / "out", tmp_path / "more"
    write(more, heron="A heron stands in the water.")
    index(out, docs)
    assert index(out, more).documents == 3
    report = index(out, remove=(str(docs),))
    assert (report.documents, report.removed) == (1, 2)
    assert index(out).documents == 1  # it is no source any more
    (more / "heron.txt").unlink()
    more.rmdir()
    assert index(out).documents == 0


def test_what_was_taken_out_of_a_source_stays_out_until_it_is_named(docs, tmp_path):
    out = tmp_path / "out"
    index(out, docs)
    index(out, remove=(str(docs / "lease.txt"),))
    assert index(out).documents == index(out, docs).documents == 1
    assert not found(out, "tenant")
    assert index(out, docs / "lease.txt").documents == 2
    assert index(out).documents == 2 and found(out, "tenant") == ["lease.txt"]


def test_changes_are_followed(docs, tmp_path, monkeypatch):
    out = tmp_path / "out"
    index(out, docs)
    told = []

    def sleep(seconds):
        if len(told) == 1:
            raise KeyboardInterrupt
        write(docs, new="A heron stands in the water.")

    monkeypatch.setattr("hornbook.workflows.documents.watching.time.sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        keep_up(IndexRequest(encoder="none"), out, Progress(quiet=True), told.append)
    assert told[0].read == 1 and found(out, "heron") == ["new.txt"]


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    out, docs = tmp_path / "out", tmp_path / "docs"
    docs.mkdir()
    rows = [json.dumps({"text": f"Record {i} is about otters."}) for i in range(20)]
    (docs / "rows.jsonl").write_text("\n".join(rows))
    import hornbook.workflows.documents.indexing as module
    from hornbook.retrieve.writer import IndexWriter

    taken, take = [], IndexWriter.take
    monkeypatch.setattr(module, "_COMMIT_S", 0)

    def stops(self, file, item):
        taken.append(item)
        if len(taken) == 8:
            raise KeyboardInterrupt
        take(self, file, item)

    monkeypatch.setattr(IndexWriter, "take", stops)
    with pytest.raises(KeyboardInterrupt):
        index(out, docs)
    with DocumentIndex.open(out) as opened:
        assert len(opened.documents()) == 7
        assert opened.search("otters", 20) and opened.state().words
    assert index(out).documents == 20
    assert len(taken) == 8 + 13
    with DocumentIndex.open(out) as opened:
        for document in opened.documents():
            assert opened.text(document.id) == f"Record {document.record - 1} is about otters."


def test_what_cannot_be_read_is_named_and_the_rest_is_there(docs, tmp_path):
    (docs / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    (docs / "bad.docx").write_bytes(b"PK\x03\x04 nothing")
    out = tmp_path / "out"
    code, said, err = hornbook("index", docs, "--out", out, "--encoder", "none", "--json")
    result = json.loads(said)
    assert code == 0 and result["documents"] == 2 and result["refused"] == 2
    assert {one["file"].rpartition("/")[2] for one in result["refused_first"]} == {
        "bad.pdf",
        "bad.docx",
    }
    assert "bad.pdf" in err and "no vectors" in err


def test_search_prints_where_and_what(docs, tmp_path):
    out = tmp_path / "out"
    index(out, docs)
    code, said, _ = hornbook("search", out, "notice of tenants", "--by", "words", "--json")
    (hit,) = json.loads(said)["hits"]
    text = (docs / "lease.txt").read_text()
    assert code == 0 and text[hit["start"] : hit["end"]] == hit["text"]
    assert [text[s["start"] : s["end"]] for s in hit["highlights"]] == ["tenant", "notice"]
    code, said, _ = hornbook("search", out, "notice")
    assert "lease.txt" in said and "**notice**" in said
    code, said, err = hornbook("search", out, "giraffe")
    assert code == 0 and "Nothing was found" in err


def test_a_broken_file_is_said(docs, tmp_path):
    out = tmp_path / "out"
    index(out, docs)
    data = bytearray((out / "index.sqlite").read_bytes())
    data[4096 * 3 :] = bytes(len(data) - 4096 * 3)
    (out / "index.sqlite").write_bytes(data)
    code, _, err = hornbook("search", out, "notice", "--by", "words")
    assert code == 1 and "error: " in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "word"], "Did you mean 'words'"),
        (["--since", "May"], "is no date"),
        (["--metadata", "author"], "is not NAME=VALUE"),
        (["--by", "vectors"], "has no vectors yet"),
    ],
)
def test_a_mistake_is_said(docs, tmp_path, arguments, message):
    index(tmp_path / "out", docs)
    code, _, err = hornbook("search", tmp_path / "out", "notice", *arguments)
    assert code == 2 and message in err


def test_a_source_that_is_not_there_is_said_before_anything_is_written(tmp_path):
    code, _, err = hornbook("index", tmp_path / "docs", "--out", tmp_path / "out")
    assert code == 2 and "does not exist" in err and not (tmp_path / "out").exists()
    code, _, err = hornbook("index", "--out", tmp_path / "out")
    assert code == 2 and "Name the files" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file.txt").write_text("mine")
    code, _, err = hornbook("index", tmp_path / "mine", "--out", tmp_path / "mine")
    assert code == 2 and "holds other files" in err


WRITER = """
import sys, itertools
from pathlib import Path
from hornbook.read.documents import Document
from hornbook.retrieve.writer import FoundFile, IndexWriter

with IndexWriter(Path(sys.argv[1])) as writer:
    for i in itertools.count():
        found = FoundFile(f"/none/{i}", "/nowhere", 1, "s", "h", "")
        number = writer.begin(found)
        writer.take(number, Document(str(i), f"Otter number{i} swims.", "x"))
        writer.end(number, found)
        if i % 3 == 2:
            writer.remove([f"/none/{i - 1}"])
        writer.commit()
        print(i, flush=True)
        if i % 20 == 19:
            writer.catch_up()
"""


def written_and_killed(out, seconds):
    """How many files a writer acknowledged before it was killed, while two readers read."""
    out.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(out)], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        stop = time.monotonic() + seconds
        with DocumentIndex.open(out) as first, DocumentIndex.open(out) as second:
            while time.monotonic() < stop:
                for reader in (first, second):
                    for hit in reader.search("otter", 5):
                        assert "swims" in hit.text
        process.kill()
        return int(process.stdout.read().split()[-1]) + 1


def test_an_index_whose_maker_was_killed_before_its_first_commit_is_none(tmp_path):
    """The file is there by then, and nothing in it."""
    write(tmp_path / "docs", one="The otter swims.")
    out = tmp_path / "out"
    index(out, tmp_path / "docs")
    for path in out.glob(f"{FILE}*"):
        path.unlink()
    (out / FILE).touch()
    assert hornbook("search", out, "otter")[0] == 2
    assert index(out, tmp_path / "docs").documents == 1
    assert found(out, "otter") == ["one.txt"]


@pytest.mark.parametrize("seconds", [0.5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path, seconds):
    out = tmp_path / "out"
    count = written_and_killed(out, seconds)
    with DocumentIndex.open(out) as opened:
        for i in range(max(0, count - 30), count):
            if i % 3 == 1 and i + 1 == count:
                continue  # what removes it may have been committed, and not said
            gone = i % 3 == 1
            assert [hit.text for hit in opened.search(f"number{i}")] == (
                [] if gone else [f"Otter number{i} swims."]
            )
        assert opened.state().words
