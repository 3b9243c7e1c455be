"""What is learned of an index: when it is learned, and how long it holds."""

import json

import pytest

from hornbook.retrieve.index import IndexState
from hornbook.retrieve.lock import WRITER_LOCK, locked
from hornbook.retrieve.store import Store
from hornbook.workflows.documents import asking, learned, refusal
from hornbook.workflows.documents.ask import ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.first_answer import first_answer, index_text
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.in_process import hornbook
from tests.tiny import QUIET, Heard
from tests.workflows.test_ask import towns


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    for name, text in towns().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def large(monkeypatch):
    """Collections of any size count as too large to be read whole; few questions are made."""
    monkeypatch.setattr(asking, "_WHOLE", 0)
    monkeypatch.setattr(refusal, "_QUESTIONS", 20)


def made(out, *sources):
    return make_index(IndexRequest(tuple(map(str, sources)), encoder="none"), out, QUIET)


def test_the_first_question_does_not_wait(docs, tmp_path, large, monkeypatch):
    made(tmp_path / "out", docs)
    monkeypatch.setattr(refusal, "settle", lambda opened: pytest.fail("it is learned already"))
    opened = OpenIndex(tmp_path / "out", QUIET)
    with opened.index:
        found = ask(opened, "Who built the old bridge of Truro?").plain()
    assert not found["refused"]
    assert (found["refusal"]["by"], found["refusal"]["questions"]) == ("words", 20)


def test_it_holds_until_a_tenth_has_changed(docs, tmp_path, large):
    texts = tmp_path / "texts"
    texts.mkdir()
    for copy in range(4):
        for name, text in towns().items():
            (texts / f"{copy}{name}").write_text(f"Copy {copy}. {text}", encoding="utf-8")
    out = tmp_path / "out"
    made(out, texts)
    assert refusal.is_learned(out)
    (texts / "new.txt").write_text("A heron stands in the water of the pond.", encoding="utf-8")
    (texts / "0Bath.txt").unlink()
    writer = IndexRequest((), encoder="none")
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusal, "settle", calls.append)
        make_index(writer, out, QUIET)
        assert not calls
        for name in towns():
            (texts / f"1{name}").unlink()
        make_index(writer, out, QUIET)
    assert len(calls) == 1 and not refusal.is_learned(out)


def test_what_words_teach_says_nothing_of_vectors(tmp_path):
    store = Store.create(tmp_path)
    state = IndexState(0, 0, 0, True, store.generation, None)
    learned.keep(tmp_path, state, None, "refusal", 1)
    learned.keep(tmp_path, state, {"model": "a"}, "refusal", 2)
    learned.keep(tmp_path, state, {"model": "a"}, "other", 3)
    assert [learned.recall(store, basis, "refusal") for basis in (None, {"model": "a"})] == [1, 2]
    assert learned.recall(store, {"model": "b"}, "refusal") is None
    assert learned.recall(store, None, "other") is None
    store.close()


def test_an_index_that_is_being_made_teaches_nothing(docs, tmp_path):
    out = tmp_path / "out"
    made(out, docs)
    lock = locked(out / WRITER_LOCK)
    opened = OpenIndex(out, QUIET)
    lock.close()
    with opened.index:
        found = ask(opened, "Who scored the winning goal in Vienna?").plain()
    assert found["refused"] and not found["looked_at"]["settled"]
    store = Store.open(out)
    assert learned.recall(store, None, "refusal") is None
    store.close()
    code, said, _ = hornbook("ask", out, "Who scored the winning goal in Vienna?")
    assert (code, said.strip()) == (0, "Nothing in these documents answers that.")
    lock = locked(out / WRITER_LOCK)
    code, said, _ = hornbook("ask", out, "Who scored the winning goal in Vienna?")
    lock.close()
    assert code == 0 and "so far" in said


def test_a_tiny_collection_judges_by_several_questions_of_a_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("The tenant must pay the rent in advance on each Monday.")
    made(tmp_path / "out", tmp_path / "a.txt")
    opened = OpenIndex(tmp_path / "out", QUIET)
    with opened.index:
        there = ask(opened, "When must the tenant pay the rent?").plain()
        gone = ask(opened, "Who won the football match in Vienna?").plain()
    assert (there["refused"], gone["refused"]) == (False, True)
    assert (there["refusal"]["questions"], there["refusal"]["sentences"]) == (40, 1)


TINY = {
    "Die Miete beträgt 300 Euro im Monat. Haustiere sind nur erlaubt, wo der Vermieter zustimmt.": (
        ["Wie hoch ist die Miete?", "Welche Haustiere sind erlaubt?"],
        "Wer gewann das Fußballspiel in Wien?",
    ),
    "The rent of the mill is 300 euros a month. Pets are kept only where the landlord agrees.": (
        ["What does one pay as rent for the mill?", "Which pets may be kept there?"],
        "Who won the football match in Vienna?",
    ),
    "本办法自二〇二四年五月一日起施行。每件商标注册申请的费用为三百元。": (
        ["商标注册申请的费用是多少？", "本办法什么时候施行？"],
        "足球比赛谁赢了？",
    ),
}


@pytest.mark.parametrize("text", TINY)
def test_a_tiny_collection_answers_who_asks_in_other_words(tmp_path, text):
    """People's words that stand nowhere in it are no reason to refuse them."""
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    made(tmp_path / "out", tmp_path / "a.txt")
    opened = OpenIndex(tmp_path / "out", QUIET)
    answered, refused = TINY[text]
    with opened.index:
        assert [ask(opened, question).refused for question in answered] == [False] * len(answered)
        assert ask(opened, refused).refused


def test_an_index_of_what_there_is_time_for(docs, tmp_path):
    heard = Heard()
    assert index_text([str(docs)], tmp_path / "none", 0.0, heard) is not None
    assert made(tmp_path / "none").documents == len(towns())  # the next run goes on
    assert index_text([str(docs)], tmp_path / "all", 60.0, heard) is None
    assert f"{len(towns())} documents" in heard.lines[-1]
    why = index_text([str(tmp_path / "nowhere")], tmp_path / "x", 60.0, heard)
    assert why is not None and "nowhere" in why


def test_one_cited_answer(docs, tmp_path):
    made(tmp_path / "out", docs)
    asked = ["Zebra xylophone?", "Who built the old bridge of Leeds?"]
    found = first_answer(tmp_path / "out", asked, QUIET)
    assert found["question"] == asked[1] and "bridge of Leeds" in found["quotes"][0]["text"]
    by_itself = first_answer(tmp_path / "out", [], QUIET)
    assert by_itself["question"] and by_itself["quotes"][0]["verified"]
    (tmp_path / "short.txt").write_text("Too short.")
    made(tmp_path / "none", tmp_path / "short.txt")
    assert first_answer(tmp_path / "none", ["What is it about?"], QUIET)["refused"]


def test_the_rates_are_said_with_their_sentences(docs, tmp_path):
    made(tmp_path / "out", docs)
    code, out, err = hornbook("ask", tmp_path / "out", "Who built the bridge of Ely?", "--json")
    assert code == 0, err
    sentences = json.loads(out)["refusal"]["sentences"]
    assert f"questions made of {sentences} sentences of these documents" in err
