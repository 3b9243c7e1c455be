"""Vectors of an index: made until all passages have one, by whoever goes on with it."""

import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.isolation import python
from hornbook.core.progress import Progress
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.lock import locked
from hornbook.retrieve.store import Store
from hornbook.retrieve.vectors import (
    ENCODER,
    FOLDER,
    MOSTLY,
    VectorIndex,
    add_vectors,
    without_vectors,
)
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.documents import asking, embedding, refusal
from hornbook.workflows.documents.ask import ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.encoders import open_encoder, question_encoder, settle_encoder
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.in_process import hornbook
from tests.retrieve.test_index import fill
from tests.tiny import slow
from tests.workflows.test_ask import towns

TEXTS = [f"Number {i} says that otters hold hands while they sleep." for i in range(70)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    words = train_tokenizer([" ".join(TEXTS)], 300, folder / "t", Progress(True))
    sizes = BertSizes(vocab=words.vocab_size, width=16, depth=1, context=48, heads=2, hidden=16)
    save_model(bert(sizes).build(), folder / "encoder", tokenizer_folder=folder / "t")
    return folder / "encoder"


@pytest.fixture
def docs(tmp_path):
    (tmp_path / "docs").mkdir()
    for number, text in enumerate(TEXTS):
        (tmp_path / "docs" / f"{number}.txt").write_text(text)
    return tmp_path / "docs"


def index(out, *sources, encoder=None, wait=True):
    request = IndexRequest(tuple(map(str, sources)), encoder=encoder and str(encoder), wait=wait)
    return make_index(request, out, Progress(quiet=True))


def settled(out, model):
    """As `index --encoder`, which makes none yet."""
    store = Store.create(out)
    settle_encoder(store, str(model))
    store.close()


def vectors(out):
    with DocumentIndex.open(out) as opened:
        return opened.state().vectors


def test_all_passages_get_one_and_only_new_ones_are_made(docs, tmp_path, model, monkeypatch):
    out = tmp_path / "out"
    report = index(out, docs, encoder=model)
    assert report.vectors == report.passages == len(TEXTS)
    with DocumentIndex.open(out, question_encoder(out)) as opened:
        hit = opened.search(TEXTS[50], 3, by="vectors")[0]
        assert hit.text == TEXTS[50] and hit.vector == pytest.approx(1, abs=2e-3)
        assert opened.search(TEXTS[50], 3)[0].text == TEXTS[50]
    made = []
    add = embedding.add_vectors
    monkeypatch.setattr(
        embedding, "add_vectors", lambda *given: (made.extend(given[1]), add(*given))
    )
    (docs / "3.txt").write_text("A heron stands in the water.")
    (docs / "4.txt").unlink()
    report = index(out)
    assert len(made) == 1 and report.vectors == report.passages == len(TEXTS) - 1
    code, said, err = hornbook("search", out, "heron", "--by", "both", "--json")
    assert code == 0 and "heron" in said and not err


def test_what_goes_while_vectors_are_made_takes_them_with_it(docs, tmp_path, model, monkeypatch):
    out = tmp_path / "out"
    index(out, docs, encoder="none")
    settled(out, model)
    add = embedding.add_vectors
    gone = []

    def late(store, passages, rows):
        """Between reading the passages and keeping their vectors, one is taken out."""
        if not gone:
            store.execute("DELETE FROM documents WHERE id = 5")
            gone.append(5)
        add(store, passages, rows)

    monkeypatch.setattr(embedding, "add_vectors", late)
    embedding.embed_index(out, Progress(quiet=True))
    with DocumentIndex.open(out) as opened:
        assert opened.state()[:3] == (len(TEXTS) - 1,) * 3


def test_without_its_model_words_are_searched(docs, tmp_path, model):
    out = tmp_path / "out"
    shutil.copytree(model, tmp_path / "copy")
    index(out, docs, encoder=tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")
    code, said, err = hornbook("search", out, "number 3", "--count", 1)
    assert code == 0 and "3.txt" in said and "Only words are searched" in err
    assert hornbook("search", out, "number 3", "--by", "vectors")[0] == 2


def test_another_model_makes_them_anew(docs, tmp_path, model):
    out = tmp_path / "out"
    index(out, docs, encoder=model)
    assert index(out, encoder="none").vectors == 0
    with pytest.raises(UsageError):
        index(out, encoder=tmp_path / "nothing")
    assert question_encoder(out) is None


def test_one_process_makes_them_at_a_time(docs, tmp_path, model):
    out = tmp_path / "out"
    index(out, docs, encoder="none")
    lock = locked(out / embedding.LOCK)
    with pytest.raises(HornbookError, match="another process"):
        embedding.embed_index(out, Progress(quiet=True))
    lock.close()


@pytest.mark.parametrize("whole", [12_000, *slow(0)])
def test_while_vectors_are_made_words_answer_as_if_there_were_none(
    tmp_path, model, whole, monkeypatch
):
    """The maker of vectors is stopped after each passage, of a collection that is read whole and
    of one that is not."""
    monkeypatch.setattr(asking, "_WHOLE", whole)
    monkeypatch.setattr(refusal, "_QUESTIONS", 6)
    monkeypatch.setattr(refusal, "_FEWER", 6)
    texts = {name: text for name, text in towns().items() if name.isascii()}
    out = fill(tmp_path, texts, tmp_path / "out")
    by_words = {question: answer(out, question) for question in QUESTIONS}
    settled(out, model)
    store = Store.create(out)
    encoder, missing = open_encoder(store.setting(ENCODER)), without_vectors(store, 0, 1000)
    for done in range(len(missing) + 1):
        if done:
            embedding._some(store, encoder, missing[done - 1 : done], lambda passages: None)
        for question, expected in by_words.items():
            found = answer(out, question)
            assert found["looked_at"]["vectors"] == done
            if done < MOSTLY * len(missing):
                assert alike(found) == alike(expected)
                assert found["by"] == found.get("refusal", found)["by"] == "words"
            else:
                assert found["by"] == "encoder"
                assert found["refusal"]["by"] == ("vectors" if whole else "words")
                assert found["refused"] == (question == QUESTIONS[2])
        kept = store.setting("learned")
        assert ("refusal by vectors" in kept) == (bool(whole) and done == len(missing))
    store.close()


QUESTIONS = [
    "How many coins does the museum of Ripon show?",
    "Who built the old bridge of Truro?",
    "Who scored the winning goal in Vienna?",
]


def answer(out, question):
    opened = OpenIndex(out, Progress(quiet=True))
    with opened.index:
        return ask(opened, question).plain()


def alike(found):
    """An answer but for how far vectors are."""
    return {**found, "looked_at": {**found["looked_at"], "vectors": 0}}


def test_passages_without_vectors_are_as_near_as_they_will_be(tmp_path, model):
    out = fill(tmp_path, towns(), tmp_path / "out")
    settled(out, model)
    embedding.embed_index(out, Progress(quiet=True))
    store = Store.create(out)
    opened = OpenIndex(out, Progress(quiet=True))
    with opened.index:
        hits = opened.index.search(QUESTIONS[1], 5, "words")
        before = opened.cosines(QUESTIONS[1], hits)
        store.execute("DELETE FROM vectors WHERE passage = ?", [hits[0].passage])
        store.close()
    shutil.rmtree(out / FOLDER)  # the map has them all
    opened = OpenIndex(out, Progress(quiet=True))
    with opened.index:
        assert opened.encodes and len(opened.near(QUESTIONS[1], [h.passage for h in hits])) == 4
        assert opened.cosines(QUESTIONS[1], hits) == pytest.approx(before, abs=2e-3)


def test_vectors_of_another_model_begin_anew_for_who_reads(docs, tmp_path, model):
    out = tmp_path / "out"
    index(out, docs, encoder=model)
    store = Store.open(out)
    seen = VectorIndex(out / FOLDER, store)
    assert len(seen) == len(TEXTS)
    writer = Store.create(out)
    settle_encoder(writer, "none")
    seen.refresh()
    assert len(seen) == 0
    writer.keep(ENCODER, {"model": "another", "weights": ""})
    add_vectors(writer, without_vectors(writer, 0, 3), np.ones((3, 8), np.float32))
    seen.refresh()
    assert len(seen) == 3 and len(seen.cosines(np.ones(8, np.float32)).best(5)) == 3
    store.close()
    writer.close()


@pytest.mark.slow
def test_vectors_follow_in_the_background_and_a_kill_loses_none(docs, tmp_path, model):
    out = tmp_path / "out"
    index(out, docs, encoder="none")
    settled(out, model)
    command = python("hornbook.workflows.documents", str(out))
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        while process.poll() is None and vectors(out) == 0:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    there = vectors(out)
    assert there > 0
    assert embedding.embed_index(out, Progress(quiet=True)) == len(TEXTS) - there
    assert vectors(out) == len(TEXTS)
