"""Verdicts of claims come from the data: where the data say otherwise, so does the verdict."""

import numpy as np
import pytest

from hornbook.datasets.image_data import LabelledImages
from hornbook.workflows.claims import instructions, pictured, stand_ins
from hornbook.workflows.claims.judge import FAILS, HOLDS, judge
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.minimal_pairs import FORMS, MinimalPair, draw_pairs
from hornbook.workflows.claims.statements import curated, grammar, images, instructed
from tests.tiny import QUIET


def verdict(tried, lab, seed=0):
    return judge([tried(lab, seed).plain()]).verdict


def differing(pair):
    """The word of the good sentence that the other has not in its place."""
    both = zip(pair.good.split(), pair.bad.split(), strict=True)
    return next(one.strip(".") for one, other in both if one != other)


def test_pairs_differ_in_one_place_and_no_word_is_right_by_itself():
    pairs = draw_pairs(None, 400, 0)
    assert len(set(pairs)) == 400 and pairs == draw_pairs(None, 400, 0) != draw_pairs(None, 400, 1)
    for pair in pairs:
        good, bad = pair.good.split(), pair.bad.split()
        assert len(good) == len(bad)
        assert 1 <= sum(one != other for one, other in zip(good, bad, strict=True)) <= 2
    for kind in ("agreement", "distant agreement", "determiner", "verb form"):
        rows = [pair for pair in pairs if pair.phenomenon == kind]
        ends = [differing(pair).endswith("s") for pair in rows]
        assert 0.3 < np.mean(ends) < 0.7, kind
    assert len({pair.phenomenon for pair in pairs}) == 6 and len(FORMS) == 10


def test_spoiled_pages_are_pages_and_as_many_others(monkeypatch):
    parts = [
        (f"a.b{i}:{j}", f"What b{i} has of {j}.\n\nIt is two.") for i in range(7) for j in "xy"
    ]
    monkeypatch.setattr(stand_ins, "documents", lambda: [("topic A", "A topic."), *parts])
    whole, spoiled = list(stand_ins.pages()), list(stand_ins.spoiled())
    assert len(whole) == 7 and not any("topic" in page for page in whole)
    assert spoiled[::2] == whole and len(spoiled) == 2 * len(whole)
    assert not set(spoiled[1::2]) & set(whole)


def test_words_are_those_of_the_text_and_answers_follow_from_them():
    class Corpus:
        def texts(self, side):
            return iter(["alpha beta gamma delta epsilon " * 3, "zeta theta A Beta"])

    found = instructions.made(Corpus(), 200, 0)
    assert found == instructions.made(Corpus(), 200, 0)
    capitals = [one for one in found if "capital" in one.asked]
    assert capitals and all(one.answer.lower() in one.asked for one in capitals)
    assert {word for one in found for word in one.answer.lower().split()} > {"alpha", "theta"}


class OtherLab(Lab):
    """One whose texts stand for one another."""

    instead = ()

    def text(self, name):
        return super().text(dict(self.instead).get(name, name))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return OtherLab(tmp_path_factory.mktemp("lab"), None, 0.25, QUIET)


@pytest.mark.slow
def test_images_that_features_cannot_tell_and_images_that_they_can(lab, monkeypatch):
    draw = np.random.default_rng(0)
    labels = draw.integers(2, size=500)
    pixels = (
        np.full((500, 8, 8, 1), 60, np.uint8) + (labels * 120).astype(np.uint8)[:, None, None, None]
    )

    def read(folder):
        return LabelledImages(pixels, labels, ("dark", "light")), None

    assert verdict(images.tried, lab) == FAILS, "digits are few"
    monkeypatch.setattr(pictured, "_read", read)
    assert verdict(images.tried, lab, seed=1) == HOLDS, "brightness is what HOG leaves out"


@pytest.mark.slow
def test_pairs_the_wrong_way_round_turn_the_verdict(lab, monkeypatch):
    assert verdict(grammar.tried, lab) == HOLDS
    turned = [
        MinimalPair(pair.bad, pair.good, pair.phenomenon) for pair in draw_pairs(None, 600, 0)
    ]
    monkeypatch.setattr(grammar, "draw_pairs", lambda *asked: turned)
    assert verdict(grammar.tried, lab) == FAILS


@pytest.mark.slow
def test_answers_of_other_instructions_teach_nothing(lab, monkeypatch):
    made = instructions.made

    def shuffled(*asked):
        found = made(*asked)
        answers = np.random.default_rng(0).permutation([one.answer for one in found]).tolist()
        return [one._replace(answer=other) for one, other in zip(found, answers, strict=True)]

    monkeypatch.setattr(instructions, "made", shuffled)
    assert verdict(instructed.tried, lab, seed=2) != HOLDS


@pytest.mark.slow
def test_raw_text_in_the_place_of_curated_text_loses(tmp_path):
    right, turned = (OtherLab(tmp_path / name, None, 0.25, QUIET) for name in "ab")
    turned.instead = (("raw", "curated"), ("curated", "raw"))
    assert verdict(curated.tried, right) == HOLDS
    assert verdict(curated.tried, turned) == FAILS
