"""What speaks for a sentence: the rare words of the question, and something beside them."""

import pytest

from hornbook.retrieve.evidence import Asking
from hornbook.retrieve.index import DocumentIndex
from tests.retrieve.test_index import fill


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    texts = {f"{i}.txt": f"The operator number {i} adds two numbers and is used." for i in range(9)}
    texts["w.txt"] = "They call the newest operator the walrus operator, which binds a name."
    texts["de.txt"] = "Der Mieter haftet für Schäden an den Häusern und Wohnungen des Vermieters."
    return fill(folder, texts, folder / "out")


def test_a_form_in_another_language_makes_no_word_rare(out):
    """The German stem of `operator` is another than the English one, and stands nowhere."""
    with DocumentIndex.open(out) as index:
        asking = Asking(index, "the walrus operator")
        assert ("walrus",) in asking.words and any(len(terms) > 1 for terms in asking.words)
        assert asking.share("The operator adds.", "en") < 0.4 < asking.share("A walrus.", "en")
        assert asking.share("The walrus operator binds.", "en") == pytest.approx(1)


def test_what_only_repeats_the_question_says_nothing(out):
    with DocumentIndex.open(out) as index:
        asking = Asking(index, "What is the walrus operator?")
        assert not asking.says_more("# The Walrus Operator", "en")
        assert asking.says_more("The walrus operator binds a name.", "en")
