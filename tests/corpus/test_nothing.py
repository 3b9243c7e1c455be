"""Nothing left, or too little: what was dropped and why, no traceback and no half-made corpus."""

import random

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.forget import forget_document
from hornbook.corpus.language import language_of
from hornbook.corpus.language_codes import known
from hornbook.corpus.recipe import recipe_of

WORDS = ["the", "of", "and", "house", "river", "light", "green", "walking", "people", "often"]


def english(draw, words=150):
    return " ".join(draw.choice(WORDS) for _ in range(words)) + "."


@pytest.fixture
def texts(tmp_path):
    """A function that writes texts into a folder of sources."""

    def write(*contents):
        folder = tmp_path / "source"
        folder.mkdir()
        for i, content in enumerate(contents):
            (folder / f"{i}.txt").write_text(content, encoding="utf-8")
        return folder

    return write


def many():
    draw = random.Random(1)
    return [english(draw) for _ in range(20)]


def alike():
    words = english(random.Random(2), 300).split()
    return [" ".join([*words[:i], f"changed{i}", *words[i + 1 :]]) for i in range(20)]


CASES = {
    "empty": (["", "", " \n "], [], ["Nothing of the text was kept", "3 x empty"]),
    "language": (many(), ["languages=[de]"], ["20 x language", "en (English) 20", "wanted: de"]),
    "paragraphs": (
        many(),
        ["languages=[de]", "paragraph_languages=true"],
        ["20 x language", "wanted: de"],
    ),
    "rule": (
        many(),
        ["rules={gopher_word_count: {least: 1000}}"],
        ["20 x too few or too many words", "gopher_word_count measured 150 to 150", "0.txt"],
    ),
    "near": (alike(), ["near_mode=drop"], ["19 x near duplicate", "near_mode: together"]),
    "repeats": (["the same line again\n" * 500], [], ["repeats itself"]),
    "budget": (many(), ["budget_bytes=10"], ["20 x mixture"]),
    "one": (["hi"], [], ["2 bytes in all", "at least 2,000 characters"]),
    "wide": (["长" * 700], [], ["700 characters in all"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_dropped_is_said_and_no_corpus_is_left(name, texts, tmp_path):
    contents, settings, said = CASES[name]
    with pytest.raises(HornbookError) as raised:
        build([texts(*contents)], tmp_path / "out", recipe_of(None, settings))
    assert raised.value.exit_code == 1
    assert all(part in str(raised.value) for part in said), raised.value
    assert not (tmp_path / "out").exists()


def test_the_web_recipe_on_little_text_names_its_rule(texts, tmp_path):
    with pytest.raises(HornbookError, match=r"The rule .* measured"):
        build([texts(*many())], tmp_path / "out", recipe_of("web"))


def test_evaluation_data_everywhere_is_said(texts, tmp_path):
    (tmp_path / "exam.txt").write_text("\n".join(many()))
    recipe = recipe_of(None, [f"against=[{tmp_path / 'exam.txt'}]"])
    with pytest.raises(HornbookError, match="20 x evaluation data"):
        build([texts(*many())], tmp_path / "out", recipe)


def test_one_document_is_held_out_in_sections(texts, tmp_path):
    corpus = build([texts("\n\n".join(many()))], tmp_path / "out")
    assert corpus.facts["documents"]["kept"] == 1
    corpus.require("train", "validation")


def test_a_side_that_was_forgotten_is_missed_before_training(texts, tmp_path):
    corpus = build([texts(*many())], tmp_path / "out")
    for document in list(corpus.documents("validation")):
        forget_document(corpus.folder, document.id, lambda folder: None)
    left = Corpus.open(corpus.folder)
    left.require("train")
    with pytest.raises(HornbookError, match="no text left to measure on"):
        left.require("train", "validation")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("nb", "no"),
        ("zh-Hans", "zh"),
        ("zh_TW", "zh"),
        ("eng", "en"),
        ("DE", "de"),
        ("iw", "he"),
        ("German", "de"),
        ("deu", "de"),
        ("cmn", "zh"),
        ("jp", "ja"),
        ("fil", "tl"),
    ],
)
def test_unknown_languages_name_the_code_that_was_meant(asked, meant):
    with pytest.raises(UsageError, match=f"{asked!r}.* Did you mean '{meant}'"):
        recipe_of(None, [f"languages=[en, {asked}]"])


@pytest.mark.parametrize("asked", ["zz", "qqq", '""', "klingon", "tlh"])
def test_languages_that_nothing_is_near_to_are_refused_with_three(asked):
    with pytest.raises(UsageError, match="Unknown language") as raised:
        recipe_of(None, [f"languages=[{asked}]"])
    assert len(str(raised.value)) < 120


def test_norwegian_is_no_truth_value():
    assert recipe_of(None, ["languages=[no]"]).languages == ("no",)


def test_every_language_that_is_found_can_be_asked_for():
    import pycld2

    assert {"he", "jv", "zh", "sa", "ss", "iu"} <= set(known()) and "iw" not in known()
    assert len(known()) >= 155 and len(pycld2.DETECTED_LANGUAGES) >= len(known())
    assert language_of("Das Haus steht am Fluss, und niemand weiß, warum.").code in known()
