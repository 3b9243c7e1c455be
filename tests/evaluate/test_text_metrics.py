"""Scores of texts: equal to the field's own libraries on English, and sensible on Chinese."""

import random

import pytest

from hornbook.baselines.lead import lead, sentences
from hornbook.evaluate.chrf import chrf
from hornbook.evaluate.metrics import best, exact_match, exp_mean, mean, normalise, token_f1, words
from hornbook.evaluate.rouge import rouge

WORDS = ["the", "a", "cat", "dog", "sat", "on", ",", ".", "3", "twenty-one", "don't", "Summary"]


def texts(count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(count)]


def test_rouge_is_that_of_rouge_score():
    scorer = pytest.importorskip("rouge_score.rouge_scorer")
    theirs = scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    for one, other in zip(texts(200, 1), texts(200, 2), strict=True):
        found = theirs.score(other, one)
        assert rouge(one, other) == pytest.approx({k: v.fmeasure for k, v in found.items()})
    assert rouge("", "a b") == {"rouge1": 0, "rouge2": 0, "rougeL": 0}


def test_rouge_of_chinese_is_by_characters():
    assert words("北京 is 中国的首都, OK?") == [*"北京", "is", *"中国的首都", "ok"]
    found = rouge("北京是首都", "首都是北京")
    assert found["rouge1"] == 1
    assert found["rouge2"] == pytest.approx(2 / 4)
    assert found["rougeL"] == pytest.approx(2 / 5)


def test_chrf_is_that_of_sacrebleu():
    metrics = pytest.importorskip("sacrebleu.metrics")
    for size in (1, 3, 40):
        outputs, references = texts(size, 3), texts(size, 4)
        theirs = metrics.CHRF()
        score = theirs.corpus_score(outputs, [references]).score
        ours = chrf(outputs, references, rounds=200)
        assert ours.score.value == pytest.approx(score, abs=1e-9)
        assert ours.signature == str(theirs.get_signature())
        assert ours.score.low <= ours.score.value + 1e-9 and ours.score.high >= ours.score.low
    assert chrf(["abc", ""], ["abc", "x"], rounds=10).score.value < 100
    assert chrf([""], [""], rounds=10).score.value == 0


@pytest.mark.parametrize(
    ("answer", "reference", "language", "exact", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", "en", 1, 1),
        ("in the Eiffel Tower", "Eiffel Tower", "en", 0, 0.8),
        ("", "Eiffel", "en", 0, 0),
        ("the", "a", "en", 1, 1),
        ("der Turm", "Turm", "de", 1, 1),
        ("der Turm", "Turm", "en", 0, 2 / 3),
        ("光荣和ω-force。", "光荣和ω-force", "zh", 1, 1),
        ("光荣", "光荣和 force", "zh", 0, 2 * (1 * 0.5) / 1.5),
        ("《三国》", "三国", "zh", 1, 1),
    ],
)
def test_answers_as_squad_compares_them(answer, reference, language, exact, f1):
    assert exact_match(answer, reference, language) == exact
    assert token_f1(answer, reference, language) == pytest.approx(f1)


def test_the_best_reference_counts():
    assert best(token_f1, "a red cat", ["dog", "red cat", "cat"]) == 1
    assert normalise("  A  “Red” Cat ") == "red cat"


def test_means_have_intervals():
    found = mean([0.0, 1.0] * 50, seed=0)
    assert found.value == 0.5 and 0.35 < found.low < 0.45 < 0.55 < found.high < 0.65
    same = exp_mean([2.0] * 5, seed=0)
    assert same.low == same.value == same.high == pytest.approx(7.389056)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.5 dollars, i.e. much. He left.", 2),
        ("J. K. Rowling wrote it. So she did.", 2),
        (
            "He said “Go.” She went... and came. Yes",
            ["He said “Go.”", "She went... and came.", "Yes"],
        ),
        (
            "春眠不覺曉。處處聞啼鳥！「夜來？」花落",
            ["春眠不覺曉。", "處處聞啼鳥！", "「夜來？」", "花落"],
        ),
        ("Das gilt z.B. für Äpfel. Birnen nicht.", 2),
        ("A title\n\nA text that begins. It ends.", ["A title", "A text that begins.", "It ends."]),
        ("  \n ", []),
    ],
)
def test_sentences(text, parts):
    found = sentences(text)
    assert (len(found) if isinstance(parts, int) else found) == parts
    assert "".join("".join(found).split()) == "".join(text.split())


def test_lead():
    assert lead("One. Two. Three. Four.") == "One. Two. Three."
    assert lead("一。二。三。四。") == "一。二。三。"
    assert lead("") == ""
