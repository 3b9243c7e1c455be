"""A text is traced to every place of a corpus where it stands, and to no other."""

import json
import random
import shutil

import pytest

from hornbook.core.pool import Local
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.document_files import read_documents
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.explain import traced_text
from hornbook.workflows.curate.corpus import forget, make_corpus
from hornbook.workflows.runs.folder import RECIPE
from tests.in_process import hornbook
from tests.tiny import QUIET

NOUNS = ["river", "boat", "morning", "teacher", "letter", "child", "鸟", "page", "Straße", "🦉"]


def prose(draw, sentences):
    return " ".join(
        f"The {draw.choice(NOUNS)} of the {draw.choice(NOUNS)} was number {draw.randrange(10**6)}."
        for _ in range(sentences)
    )


@pytest.fixture(scope="module", params=["documents", "sections"])
def built(request, tmp_path_factory):
    """A corpus split by documents, or, as there is one long one, by its sections."""
    place, draw = tmp_path_factory.mktemp("trace"), random.Random(0)
    texts = [prose(draw, 8) for _ in range(40)] if request.param == "documents" else []
    texts += ["\n\n".join(prose(draw, 9) for _ in range(150))] if not texts else []
    (place / "in").mkdir()
    for number, text in enumerate(texts):
        (place / "in" / f"{number}.txt").write_text(text)
    return make_corpus([place / "in"], place / "c", CorpusRecipe(), Local(1), QUIET, vocabulary=300)


@pytest.fixture
def corpus(built, tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(traced_text, "PIECE_BYTES", 4_000)
    folder = shutil.copytree(built.folder, tmp_path / "c", dirs_exist_ok=True)
    return Corpus.open(folder)


def traced(folder, text, *options):
    code, out, err = hornbook("trace", folder, text, "--json", *options)
    assert code == 0, err
    return json.loads(out)


def test_places_are_those_of_the_text(corpus):
    whole = {document.id: document for document in documents(corpus)}
    sides = {part.text: side for side in ("train", "validation") for part in corpus.documents(side)}
    draw = random.Random(1)
    for _ in range(6):
        document = draw.choice(list(whole.values()))
        start = draw.randrange(len(document.text) - 60)
        passage = document.text[start : start + 60]
        found = traced(corpus.folder, f"{passage}###nowhere", "--places", "999")
        longest = max(found["spans"], key=lambda span: span["end"] - span["start"])
        assert longest["text"] == passage
        assert 0 < found["looking_seconds"] < found["seconds"]
        assert longest["times"] == sum(each.text.count(passage) for each in whole.values())
        assert len(longest["places"]) == longest["times"]
        for place in longest["places"]:
            text = whole[place["document"]].text
            assert text[place["offset"] : place["offset"] + 60] == passage
            holding = {sides[part] for part in sides if passage in part}
            assert place["side"] in holding or place["side"] == "both"
        held = sum(place["side"] == "validation" for place in longest["places"])
        assert held <= longest["held_out"]


def documents(corpus):
    """Whole, not in sections."""
    return read_documents(corpus.folder)


def test_a_passage_is_as_long_as_it_can_be_and_lies_in_no_other(corpus):
    text = next(iter(corpus.texts("train")))[:50]
    query = f"never seen: {text} 🦉🦉 {text[5:30]}"
    spans = traced(corpus.folder, query, "--least", "1", "--count", "999")["spans"]
    everything = [document.text for document in documents(corpus)]
    ends = [span["end"] for span in spans]
    assert ends == sorted(set(ends))
    for span in spans:
        assert query[span["start"] : span["end"]] == span["text"]
        assert any(span["text"] in each for each in everything)
        for longer in (query[span["start"] : span["end"] + 1], query[max(0, span["start"] - 1) :]):
            grown = longer[: len(span["text"]) + 1]
            assert grown == span["text"] or not any(grown in each for each in everything)


def test_nothing_is_found_across_two_documents(corpus):
    texts = [document.text for document in documents(corpus)]
    if len(texts) > 1:
        seam = texts[0][-30:] + texts[1][:30]
        assert traced(corpus.folder, seam)["longest"] < 60


def test_it_is_made_once_and_goes_with_a_document_that_is_forgotten(corpus):
    ids = [document.id for document in documents(corpus)]
    passage = next(iter(documents(corpus))).text[:80]
    assert traced(corpus.folder, passage)["longest"] == 80
    made = (corpus.folder / "traced" / "stage.json").stat().st_mtime_ns
    assert traced(corpus.folder, passage)["longest"] == 80
    assert (corpus.folder / "traced" / "stage.json").stat().st_mtime_ns == made
    if len(ids) > 1:
        forget(corpus.folder, ids[0])
        assert not (corpus.folder / "traced").exists()
        assert traced(corpus.folder, passage)["longest"] < 80


def test_a_run_is_traced_in_the_corpus_that_it_or_its_model_was_trained_on(corpus, tmp_path):
    passage = next(iter(documents(corpus))).text[:40]
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    for folder, places in (
        (run, f"corpus: {corpus.folder}"), (tuned, f"model: {run / 'model'}")
    ):  # fmt: skip
        folder.mkdir()
        (folder / RECIPE).write_text(f"kind: text\nplaces:\n  {places}\n")
        assert traced(folder, passage)["corpus"] == str(corpus.folder)
    corpus.folder.rename(tmp_path / "corpus")  # as in the quickstart's folder
    assert traced(tmp_path, passage)["longest"] == 40


def test_what_cannot_be_traced_is_said(corpus, tmp_path):
    code, _, err = hornbook("trace", corpus.folder, " ")
    assert (code, "is empty" in err) == (2, True)
    code, _, err = hornbook("trace", tmp_path, "the river")
    assert (code, "neither a corpus nor a run" in err) == (2, True)
    (corpus.folder / "traced").mkdir()
    (corpus.folder / "traced" / "mine.txt").write_text("mine")
    code, _, err = hornbook("trace", corpus.folder, "the river")
    assert (code, "not Hornbook's own" in err) == (2, True)
    assert (corpus.folder / "traced" / "mine.txt").read_text() == "mine"
