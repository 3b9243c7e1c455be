"""Repeated addresses and paragraphs, paragraphs in other languages, evaluation data."""

import gzip
import json
import random

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.corpus.build import build
from hornbook.corpus.decontaminate import OverlapConfig, overlaps, read_items
from hornbook.corpus.recipe import CorpusRecipe, ParagraphConfig
from hornbook.corpus.texts import Texts
from hornbook.corpus.urls import plain_url
from tests.tiny import QUIET

FOOTER = "This page is kept by the library of the town, which asks you to keep it clean as well."
GERMAN = (
    "Der Vertrag wird schriftlich geschlossen und gilt für beide Seiten bis zum Ende des Jahres."
)
WORDS = [f"{a}{b}" for a in ("river", "boat", "stone", "garden", "road") for b in "abcdefghijkl"]
HAN = [chr(c) for c in range(0x4E00, 0x4E00 + 900)]


def prose(draw, words=60):
    return " ".join(draw.choice(WORDS) for _ in range(words)) + "."


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.fixture
def draw():
    return random.Random(0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://A.example/x/", "https://a.example/x"),
        ("https://a.example/x#top", "https://a.example/x"),
        ("https://a.example/x?utm_source=b&id=3", "https://a.example:443/x?id=3"),
    ],
)
def test_two_spellings_of_one_address(one, other):
    assert plain_url(one) == plain_url(other) is not None


def test_two_addresses():
    urls = ("https://a.example/x", "https://a.example/X", "https://a.example/x?id=3", "a.example")
    assert len({plain_url(url) for url in urls}) == 4
    assert plain_url("http://[broken") is plain_url("no address") is None


def test_later_documents_of_an_address_are_dropped(draw, tmp_path):
    urls = ["https://a.example/1", "http://A.example/1/", "https://a.example/2", None, None]
    rows = [{"text": prose(draw), **({"url": url} if url else {})} for url in urls * 8]
    source = write(tmp_path / "t.jsonl", rows)
    corpus = build([source], tmp_path / "c", CorpusRecipe(urls=True), QUIET)
    assert corpus.facts["documents"]["dropped"] == {"duplicate url": 22}
    assert corpus.facts["duplicates"]["url"] == 22
    lines = (corpus.folder / "dropped").glob("*.jsonl").__next__().read_text().splitlines()
    assert json.loads(lines[0])["duplicate_of"] == f"{source}:0"


def test_repeated_paragraphs_go_and_the_first_stays(draw, tmp_path):
    rows = [{"text": f"{prose(draw)}\n{FOOTER}\n\n{prose(draw)}"} for _ in range(20)]
    rows.append({"text": f"Only\n{FOOTER}"})
    source = write(tmp_path / "t.jsonl", rows)
    recipe = CorpusRecipe(paragraphs=ParagraphConfig(), near_mode="ignore")
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    texts = list(corpus.texts())
    assert [FOOTER in text for text in texts] == [True] + [False] * 19
    assert texts[1] == rows[1]["text"].replace(FOOTER + "\n", "")
    size = corpus.facts["bytes"]
    assert size["dropped"]["repeated paragraph"] == 19 * len(FOOTER + "\n")
    assert size["in"] == size["kept"] + sum(size["dropped"].values())
    assert corpus.facts["documents"]["dropped"] == {"paragraphs repeated or foreign": 1}


def test_a_paragraph_that_its_own_document_repeats_stays(draw, tmp_path):
    rows = [
        {"text": f"{FOOTER}\n{prose(draw)}\n{FOOTER}"},
        *({"text": prose(draw)} for _ in "abcdef"),
    ]
    source = write(tmp_path / "t.jsonl", rows)
    recipe = CorpusRecipe(paragraphs=ParagraphConfig(), near_mode="ignore")
    assert rows[0]["text"] in set(build([source], tmp_path / "c", recipe, QUIET).texts())


def test_paragraphs_in_other_languages_go(tmp_path, draw):
    english = "The library of the town was open that day, and the children read what they liked."
    rows = [{"text": f"{english} {i} {prose(draw, 3)}\n{GERMAN}\n{english} {i}"} for i in range(30)]
    source = write(tmp_path / "t.jsonl", rows)
    recipe = CorpusRecipe(languages=("en",), paragraph_languages=True, near_mode="ignore")
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    assert corpus.facts["documents"]["kept"] == 30
    assert not any(GERMAN in text for text in corpus.texts())
    taken = corpus.facts["bytes"]["dropped"]["paragraph language"]
    assert taken == 30 * len(f"{GERMAN}\n".encode())


def planted(draw, words, join):
    """Items, documents that hold one among other text, documents that hold none."""
    items = [join.join(draw.choice(words) for _ in range(30)) for _ in range(40)]
    around = [join.join(draw.choice(words) for _ in range(200)) for _ in range(80)]
    holding = [f"{a}{join}{item}{join}{a[::-1]}" for a, item in zip(around, items, strict=False)]
    return items, holding, around[40:]


@pytest.mark.parametrize(("words", "join"), [(WORDS, " "), (HAN, "")])
def test_planted_items_are_found_and_nothing_else(draw, tmp_path, words, join):
    items, holding, others = planted(draw, words, join)
    write(tmp_path / "e.jsonl", [{"question": item} for item in items])
    known = read_items([tmp_path / "e.jsonl"], OverlapConfig())
    shares, found = overlaps(Texts(holding + others).folded(), known, OverlapConfig())
    assert found.tolist() == list(range(40)) + [-1] * 40
    assert (shares[:40] == 1).all() and (shares[40:] == 0).all()


def test_case_and_punctuation_hide_nothing_and_a_half_is_not_enough(draw, tmp_path):
    items = [prose(draw, 40) for _ in range(20)]
    write(tmp_path / "e.jsonl", [{"nested": {"list": [item]}} for item in items])
    known = read_items([tmp_path / "e.jsonl"], OverlapConfig())
    loud = [item.upper().replace(" ", ", ") for item in items]
    halves = [" ".join(item.split()[:20]) for item in items]
    shares, _ = overlaps(Texts(loud + halves).folded(), known, OverlapConfig())
    assert (shares[:20] == 1).all() and (shares[20:] == 0).all()


def test_a_passage_of_a_long_item_is_enough(draw, tmp_path):
    book = prose(draw, 5000)
    write(tmp_path / "e.jsonl", [{"text": book}])
    known = read_items([tmp_path / "e.jsonl"], OverlapConfig())
    passage = " ".join(book.split()[1000:1100])
    quote = " ".join(book.split()[1000:1040])
    shares, _ = overlaps(Texts([passage, quote]).folded(), known, OverlapConfig())
    assert 0 < shares[0] < 0.05 and shares[1] == 0


def contaminated(draw, tmp_path):
    rows = [{"text": prose(draw)} for _ in range(60)]
    near = rows[7]["text"].split()
    for i in range(7, 60, 8):  # no eight words in a row are left
        near[i] = "another"
    with gzip.open(tmp_path / "test.json.gz", "wt") as stream:
        json.dump([{"q": rows[3]["text"]}, {"q": " ".join(near)}, {"q": "too short"}], stream)
    return write(tmp_path / "t.jsonl", rows)


def test_evaluation_data_is_dropped_by_n_grams_and_as_near_copies(draw, tmp_path):
    source = contaminated(draw, tmp_path)
    recipe = CorpusRecipe(against=(str(tmp_path / "test.json.gz"),), near={"least": 0.3, "rows": 2})
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    assert corpus.facts["documents"]["dropped"] == {"evaluation data": 2}
    found = corpus.facts["decontamination"]
    assert found["documents"] == 2
    (file,) = found["files"]
    assert (file["items"], file["too_short"], file["found"]) == (3, 1, 1)


def test_the_house_folder_of_evaluations_always_counts(draw, tmp_path, monkeypatch):
    source = contaminated(draw, tmp_path)
    own = tmp_path / "home" / "evaluations"
    own.mkdir(parents=True)
    (tmp_path / "test.json.gz").rename(own / "test.json.gz")
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    corpus = build([source], tmp_path / "c", CorpusRecipe(), QUIET)
    assert corpus.facts["documents"]["dropped"] == {"evaluation data": 1}
    (own / "test.json.gz").unlink()
    assert "decontamination" not in build([source], tmp_path / "c", CorpusRecipe(), QUIET).facts


def test_an_evaluation_file_that_cannot_be_read_stops_the_work(draw, tmp_path):
    source = write(tmp_path / "t.jsonl", [{"text": prose(draw)} for _ in range(60)])
    (tmp_path / "e.jsonl").write_text('{"q": "a"}\n{broken\n')
    for name, error in (("e.jsonl", "line 2: not JSON"), ("none.jsonl", "does not exist")):
        with pytest.raises(UsageError, match=error):
            build([source], tmp_path / "c", CorpusRecipe(against=(str(tmp_path / name),)), QUIET)
    (tmp_path / "e.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(HornbookError, match=r"e\.csv\.gz, line 1: broken gzip"):
        build([source], tmp_path / "c", CorpusRecipe(against=(str(tmp_path / "e.csv.gz"),)), QUIET)
