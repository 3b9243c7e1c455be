"""An index: what was committed is found, and what is given out of it is what was read."""

import json
import shutil

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.read.documents import Document, Rejection
from hornbook.retrieve import search
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.question import asked_words
from hornbook.retrieve.store import PIECE, Store
from hornbook.retrieve.vectors import ENCODER, FOLDER, add_vectors, without_vectors, write_map
from hornbook.retrieve.where import Where
from hornbook.retrieve.writer import FoundFile, IndexWriter

TEXTS = {
    "lease.txt": "# Lease\n\nThe tenant must give notice. The notice period is three months.",
    "miete.txt": "Der Mieter haftet für Schäden an den Häusern. Die Kündigungsfrist beträgt drei "
    "Monate. Das gilt auch für die Wohnung des Vermieters, wenn er sie selbst nutzt.",
    "合同.txt": "甲方应当在三个月内支付租金。乙方可以解除合同，但应当提前通知甲方。",
}


def found_file(folder, name, modified="2024-05-01"):
    return FoundFile(str(folder / name), str(folder), 1, "stamp", "hash", modified)


def fill(folder, texts, out):
    """An index of texts, each a file of its own."""
    out.mkdir(exist_ok=True)
    with IndexWriter(out) as writer:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
            found = found_file(folder, name)
            number = writer.begin(found)
            writer.take(number, Document(name, text, name, metadata={"kind": name[:1]}))
            writer.end(number, found)
        writer.catch_up()
    return out


@pytest.fixture
def out(tmp_path):
    return fill(tmp_path, TEXTS, tmp_path / "out")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("notice periods", "lease.txt"),
        ("Schaden am Haus", "miete.txt"),
        ("解除合同", "合同.txt"),
        ("KÜNDIGUNGSFRISTEN", "miete.txt"),
    ],
)
def test_every_language_is_found_by_its_own_forms(out, query, name):
    with DocumentIndex.open(out) as index:
        first = index.search(query)[0]
        assert first.source.endswith(name)
        assert index.text(first.document, first.start, first.end) == first.text
        assert first.highlights()


@pytest.mark.parametrize(
    "text", ["乙方應當提前通知對方，並付清租金。", "乙方应当提前通知对方，并付清租金。"]
)
def test_traditional_and_simplified_characters_are_the_same(text, tmp_path):
    out = fill(tmp_path, {"a.txt": text, "b.txt": "完全不同的内容。"}, tmp_path / "out")
    for query in ("應當通知對方", "应当通知对方"):
        with DocumentIndex.open(out) as index:
            (hit,) = index.search(query)
            assert [hit.text[s.start : s.end] for s in hit.highlights()] == [
                text[2:4], text[6:10]
            ]  # fmt: skip


def test_words_of_other_terms_are_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("hornbook.retrieve.words._FORM", 0)
    out = fill(tmp_path, {"a.txt": "Otters sleep."}, tmp_path / "out")
    monkeypatch.undo()
    with DocumentIndex.open(out) as index:
        assert index.search("otter")[0].text == "Otters sleep."
        assert index.state().words


def test_sentences_are_the_same_whatever_part_is_asked_for(out):
    with DocumentIndex.open(out) as index:
        for document in index.documents():
            whole = index.sentences(document.id)
            assert len(whole) >= 2
            for span in whole:
                assert index.sentences(document.id, span.start, span.end) == [span]


def test_what_was_removed_answers_nothing_though_the_words_still_have_it(out, tmp_path):
    with DocumentIndex.open(out) as index:
        assert index.search("notice")
        with IndexWriter(out) as writer:
            assert writer.remove([str(tmp_path / "lease.txt")]) == 1
        assert not index.state().words
        assert not index.search("notice")
        with IndexWriter(out) as writer:
            writer.catch_up()
        assert index.state().words and not index.search("notice")


def test_a_file_that_is_gone_answers_nothing_while_its_folder_is_there(out, tmp_path):
    with DocumentIndex.open(out) as index:
        (tmp_path / "lease.txt").unlink()
        assert not index.search("notice")
        assert index.search("Kündigungsfrist")


def test_conditions_hold(out, tmp_path):
    with DocumentIndex.open(out) as index:

        def names(**where):
            return [d.source.rpartition("/")[2] for d in index.documents(Where(**where))]

        assert names(sources=["lease.txt"]) == ["lease.txt"]
        assert names(sources=["*.txt"]) == list(TEXTS)
        assert names(folders=[str(tmp_path)]) == list(TEXTS)
        assert names(folders=[str(tmp_path / "other")]) == []
        assert names(languages=["de", "zh"]) == ["miete.txt", "合同.txt"]
        assert names(metadata={"kind": "l"}) == ["lease.txt"]
        assert names(since="2024", until="2024-05") == list(TEXTS)
        assert names(since="2024-06") == []
        german = index.search("drei Monate three months 三个月", where=Where(languages=["de"]))
        assert {hit.language for hit in german} == {"de"}
        most = index.search("drei Monate three months 三个月", where=Where(languages=["de", "zh"]))
        assert {hit.language for hit in most} == {"de", "zh"}
        assert not index.search("three months", where=Where(languages=["fr"]))


def test_what_was_not_committed_is_not_there(out, tmp_path):
    with pytest.raises(ZeroDivisionError), IndexWriter(out) as writer:
        number = writer.begin(found_file(tmp_path, "new.txt"))
        writer.take(number, Document("new", "An unfinished sentence about otters.", "new"))
        raise ZeroDivisionError
    with DocumentIndex.open(out) as index:
        assert len(index.documents()) == len(TEXTS)
        assert not index.search("otters")


def test_one_process_writes_at_a_time(out):
    with IndexWriter(out), pytest.raises(HornbookError, match="another process"):
        IndexWriter(out)


def test_same_passages_are_one_hit(tmp_path):
    texts = {f"{i}.txt": "Otters hold hands while they sleep on their backs." for i in range(3)}
    with DocumentIndex.open(fill(tmp_path, texts, tmp_path / "out")) as index:
        (hit,) = index.search("otters")
        assert len(hit.copies) == 2


def test_all_copies_are_told_however_few_hits_are_asked_for(tmp_path):
    texts = {f"{i}.txt": "Otters hold hands while they sleep on their backs." for i in range(15)}
    texts["other.txt"] = "Otters eat crabs, and mussels which they break with stones."
    with DocumentIndex.open(fill(tmp_path, texts, tmp_path / "out")) as index:
        (hit,) = index.search("otters sleep", 1)
        assert len(hit.copies) == 14


def test_a_passage_in_two_rows_of_text_is_whole(tmp_path):
    text = " ".join(f"Clause {n} is about matter {n}." for n in range(1000))
    with DocumentIndex.open(fill(tmp_path, {"long.txt": text}, tmp_path / "out")) as index:
        (passage,) = index.passages(1, PIECE, PIECE + 1)
        assert passage.start < PIECE < passage.end
        asked = text[PIECE - 30 : PIECE + 30]
        hit = next(hit for hit in index.search(asked) if hit.passage == passage.id)
        assert hit.text == text[passage.start : passage.end]


def test_alike_rows_are_not_all_read(tmp_path, monkeypatch):
    """A search ends with fewer hits; where no hit is left at all, it looks further."""
    monkeypatch.setattr(search, "_WIDEST", 100)
    out = tmp_path / "out"
    out.mkdir()
    with IndexWriter(out) as writer:
        file = writer.begin(found_file(tmp_path, "rows.csv"))
        for i in range(600):
            text = f"Otters hold hands while they sleep on their backs, number {i}."
            writer.take(file, Document(str(i), text, "rows.csv"))
        writer.end(file, found_file(tmp_path, "rows.csv"))
        writer.catch_up()
    (tmp_path / "rows.csv").touch()
    with DocumentIndex.open(out) as index:
        (hit,) = index.search("otters", 2)
        assert 100 <= len(hit.copies) < 500
        (tmp_path / "rows.csv").unlink()
        assert index.search("otters", 2) == []


def test_what_is_found_has_its_own_page(tmp_path):
    """A passage may go on behind the end of a page."""
    out, first = tmp_path / "out", "The tenant gives notice in time. "
    text = f"{first}\n\nOn the next page the landlord repairs the roof."
    out.mkdir()
    with IndexWriter(out) as writer:
        number = writer.begin(found_file(tmp_path, "a.pdf"))
        metadata = {"pages": [0, len(first) + 2]}
        writer.take(number, Document("a", text, "a.pdf", metadata=metadata))
    (tmp_path / "a.pdf").touch()
    with DocumentIndex.open(out) as index:
        (hit,) = index.search("landlord")
        (span,) = hit.highlights()
        assert hit.page == 1 and hit.page_at(hit.start + span.start) == 2
        assert index.page(hit.document, hit.start + span.start) == 2


def test_a_long_text_is_given_by_its_characters(tmp_path):
    text = "".join(f"{i} wörd。" for i in range(6_000))
    out = fill(tmp_path, {"long.txt": text}, tmp_path / "out")
    with DocumentIndex.open(out) as index:
        (document,) = index.documents()
        assert index.text(document.id) == text
        for start, end in [(0, 5), (16_380, 16_390), (30_000, 45_000), (len(text) - 3, None)]:
            assert index.text(document.id, start, end) == text[start:end]
        places = index.passages(document.id)
        assert "".join(text[p.start : p.end] for p in places).replace(" ", "") == text.replace(
            " ", ""
        )
        for (number, found), place in zip(
            index.store.passage_texts(document.id), places, strict=True
        ):
            assert (number, found) == (place.id, text[place.start : place.end])


def test_what_was_refused_is_kept_by_name(out, tmp_path):
    with IndexWriter(out) as writer:
        number = writer.begin(found_file(tmp_path, "bad.pdf"))
        writer.take(number, Rejection("bad.pdf", None, "encrypted PDF", "password"))
    with DocumentIndex.open(out) as index:
        rows = index.store.execute("SELECT reason, detail FROM quarantine").fetchall()
        assert rows == [("encrypted PDF", "password")]


def test_words_of_another_store_are_made_anew(out, tmp_path):
    """As after a copy of an older file, or a new one in its place."""
    (out / "index.sqlite").unlink()
    fill(tmp_path, {"b.txt": "Herons wait.", "a.txt": "The zebras puzzle the herons."}, out)
    with DocumentIndex.open(out) as index:
        assert not index.search("notice") and len(index.search("zebra")) == 1
        assert index.state().words


@pytest.mark.parametrize("left", ["nothing", "broken", "a file in the way"])
def test_words_that_are_lost_or_broken_are_made_anew(out, tmp_path, left):
    words = out / "words"
    if left == "nothing":
        shutil.rmtree(words)
    elif left == "broken":
        (words / "meta.json").write_text("{")
    else:
        with IndexWriter(out) as writer:
            writer.remove([str(tmp_path / "lease.txt")])
        stamp = json.loads((words / "meta.json").read_text())
        for segment in stamp["segments"]:
            name = segment["segment_id"].replace("-", "")
            for number in range(100):
                (words / f"{name}.{number}.del").touch()
    with DocumentIndex.open(out) as index:
        assert index.search("Kündigungsfrist") and index.state().words


def test_no_index_is_said(tmp_path):
    with pytest.raises(UsageError, match="holds no index"):
        DocumentIndex.open(tmp_path)
    (tmp_path / "index.sqlite").write_text("no database" * 100)
    with pytest.raises(HornbookError, match="no index that can be opened"):
        DocumentIndex.open(tmp_path)


def give_vectors(out, encode):
    """Vectors by a function of a text, as an encoder would leave them."""
    store = Store.create(out)
    store.keep(ENCODER, {"model": "test", "weights": ""})
    passages = store.passages_by_id(without_vectors(store, 0, 100))
    texts = [store.text(p.document, p.start, p.end) for p in passages.values()]
    add_vectors(store, list(passages), np.stack([encode(text) for text in texts]))
    return store


def letters(text):
    """A vector of length one: how often each letter is there."""
    counts = np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)
    return counts / max(np.linalg.norm(counts), 1e-9)


@pytest.mark.parametrize("mapped", [True, False])
def test_vectors_are_searched_exactly_in_the_map_and_behind_it(out, tmp_path, mapped):
    store = give_vectors(out, letters)
    if mapped:
        write_map(store, out / FOLDER)
    fill(tmp_path, {"zebra.txt": "Zebras puzzle lazy buzzards."}, out)
    give_vectors(out, letters)
    with DocumentIndex.open(out, encode=letters) as index:
        hits = index.search("zz", 4, by="vectors")
        assert hits[0].source.endswith("zebra.txt") and len(hits) == 4
        assert hits[0].vector == pytest.approx(letters("zz") @ letters(hits[0].text), abs=2e-3)
        german = index.search("zz", 4, by="vectors", where=Where(languages=["de"]))
        assert [hit.language for hit in german] == ["de"]
        both = index.search("notice zz", 4)
        assert len(both) == 4 and both[0].score == max(hit.score for hit in both)
        assert next(hit.words for hit in both if "notice" in hit.text) > 0
        with IndexWriter(out) as writer:
            writer.remove([str(tmp_path / "zebra.txt")])
        assert len(index.search("zz", 4, by="vectors")) == index.state().vectors == 3
        write_map(Store.create(out), out / FOLDER)
        assert len(index.search("zz", 4, by="vectors")) == 3


def test_a_passage_without_a_vector_is_judged_by_its_words(out, tmp_path):
    give_vectors(out, letters)
    fill(tmp_path, {"late.txt": "A notice period, a notice, another notice."}, out)
    with DocumentIndex.open(out, encode=letters) as index:
        assert index.search("notice", 1)[0].source.endswith("late.txt")


@pytest.mark.parametrize(
    "question",
    ["Tell me of the otters.", "Please explain otters", "Describe otters!", "Bitte, otters",
     "Could you tell me otters"],
)  # fmt: skip
def test_how_somebody_is_addressed_is_not_asked_for(question):
    assert asked_words(question, ["en"]) == asked_words("otters", ["en"])


def test_chinese_is_addressed_as_well():
    assert asked_words("请告诉我水獭", ["zh"]).terms == asked_words("水獭", ["zh"]).terms
    assert asked_words("describe", ["en"]).words
