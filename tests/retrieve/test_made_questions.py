"""Questions made of an index: of its own sentences, the same by the same seed."""

import pytest

from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.made_questions import made_questions
from hornbook.retrieve.terms import runs
from tests.retrieve.test_index import fill

TEXTS = {
    f"{town}.txt": f"The bridge of {town} was built by a famous mason in spring. "
    f"Visitors of {town} like its small harbour, market and library. Short one."
    for town in ("Bath", "York", "Leeds", "Derby")
}
LONG = 8
"""Sentences of these texts that have words enough."""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return fill(folder, TEXTS, folder / "out")


def test_a_question_is_made_of_a_sentence_each(out):
    with DocumentIndex.open(out) as index:
        made = made_questions(index, 100)
        assert len(made) == LONG == len({one.place for one in made})
        assert made == made_questions(index, 100) != made_questions(index, 100, seed=1)
        for question, place in made:
            own = runs(index.text(*place))
            assert index.text(*place).endswith(".") and "Short" not in question
            assert sum(word in own for word in question.split()) >= 3


def test_repeated_questions_of_few_sentences_differ(out):
    with DocumentIndex.open(out) as index:
        made = made_questions(index, 40, repeated=True)
        assert len(made) == 40 and len({one.place for one in made}) == LONG
        assert len({one.question for one in made}) > 2 * LONG
        # In so small an index other words than a sentence's own are of no document.
        inside = {word for text in TEXTS.values() for word in runs(text)}
        assert any(word not in inside for one in made for word in one.question.split())
        once = made_questions(index, LONG)
        assert all(word in inside for one in once for word in one.question.split())
