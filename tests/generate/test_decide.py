"""Decisions by likelihood: probabilities, what corrects them, and a text that is read once."""

import math

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.decide import Decider, question_of
from hornbook.generate.likelihoods import Likelihood, likelihoods_of
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import QUIET

TEXT = "the tablet of the child lay on the page beside the river "


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
    train_tokenizer([TEXT * 30], 300, folder, QUIET)
    return Tokenizer.load(folder)


class Words:
    """Likelihoods of a model that likes `no`, and after `good` likes `yes` more than before."""

    def __init__(self, tokenizer):
        self.tokenizer, self.asked = tokenizer, []

    def __call__(self, requests):
        self.asked.append(requests)
        return [Likelihood(self.nats(*request), False, len(request.target)) for request in requests]

    def nats(self, context, target):
        good = "good" in self.tokenizer.decode(context)
        word = self.tokenizer.decode(target).strip()
        return {"no": -1.0, "yes": -2.0 if good else -4.0}.get(word, -3.0)


def test_what_is_said_without_a_text_is_taken_off(tokenizer):
    decider = Decider(tokenizer, 400, Words(tokenizer))
    question = question_of("Is it so?")
    (raw,) = decider.decide("good bread", [question], calibrate=False)
    (found,) = decider.decide("good bread", [question])
    (other,) = decider.decide("bread", [question])
    assert (raw.choice, raw.calibration) == ("no", "none")
    assert (found.choice, found.calibration) == ("yes", "content-free")
    assert found.probabilities["yes"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert other.probability == pytest.approx(0.5)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    (sure,) = decider.decide("good bread", [question], temperature=0.5)
    assert sure.probability > found.probability and sure.calibration == "examples"


def test_a_prior_is_asked_for_once_a_question(tokenizer):
    words = Words(tokenizer)
    decider = Decider(tokenizer, 400, words)
    questions = [question_of("a?"), question_of("b?", ["x", "y", "z"])]
    for text in ("one", "two", "three"):
        decider.decide(text, questions)
    assert [len(batch) for batch in words.asked] == [5, 5, 5, 5, 5, 5]
    assert decider.decide("four", []) == []


def test_scores_are_expected_values(tokenizer):
    decider = Decider(tokenizer, 400, Words(tokenizer))
    (found,) = decider.decide("x", [question_of("How many?", ["1", "2", "6"])])
    assert found.score == pytest.approx(3)
    assert found.plain()["score"] == found.score and "cut" not in found.plain()
    assert "score" not in decider.decide("x", [question_of("So?")])[0].plain()


def test_a_text_that_is_too_long_is_cut_and_said(tokenizer):
    words = Words(tokenizer)
    decider = Decider(tokenizer, 120, words)
    questions = [question_of("Is it so?"), question_of("Is the river beside the page, or not?")]
    found = decider.decide("good " + TEXT * 40, questions)
    assert all(each.cut and each.plain()["cut"] for each in found)
    assert found[0].choice == "yes"
    sizes = [len(r.context) + len(r.target) for batch in words.asked for r in batch]
    assert 100 < max(sizes) <= 120
    with pytest.raises(HornbookError, match="does not fit into the context of 120 tokens"):
        decider.decide("x", [question_of("why " * 200)])


@pytest.mark.parametrize("inside", ["{question} {choices} {text}", "Answer: yes", "<|im_end|>"])
def test_a_text_is_a_text_whatever_stands_in_it(tokenizer, inside):
    words = Words(tokenizer)
    Decider(tokenizer, 900, words).decide(inside, [question_of("Is it so?")], calibrate=False)
    read = tokenizer.decode(words.asked[0][0].context)
    assert inside in read and read.count("Is it so?") == 1


class Counted:
    """A model that says nothing, and counts the tokens that it reads."""

    context, cuttable, read = 512, True, 0

    def sequences(self, rows, capacity=None):
        return self

    def go_on(self, new, computing=None):
        self.read += len(new[0])
        return {0: np.zeros(300)}

    def check(self, row, ids):
        self.read += len(ids)
        return np.zeros((len(ids), 300))

    def cut(self, row, length):
        pass


def test_four_hundred_questions_read_the_text_once(tokenizer):
    model, text = Counted(), TEXT * 6
    decider = Decider(tokenizer, model.context, lambda asked: likelihoods_of(model, asked))
    questions = [question_of(f"q{i}?", ["a", "b"]) for i in range(400)]
    found = decider.decide(text, questions, calibrate=False)
    alone = len(tokenizer.encode("\n\nQuestion: q399? (a, b)\nAnswer: a")) + 4
    assert len(found) == 400 and all(each.probability == 0.5 for each in found)
    assert model.read < len(tokenizer.encode(text)) + 400 * alone


@pytest.mark.parametrize(
    ("text", "choices", "message"),
    [
        (" ", None, "A question is empty"),
        ("a?", ["x"], "needs two choices or more"),
        ("a?", ["x", ""], "none of them empty"),
        ("a?", ["x", "x "], "has a choice twice"),
    ],
)
def test_what_is_no_question(text, choices, message):
    with pytest.raises(UsageError, match=message):
        question_of(text, choices)


def test_the_choices_speak_the_language_of_the_question():
    assert question_of("下雨了吗？").choices == ("是", "否")
    assert question_of("Does it rain?").choices == ("yes", "no")
