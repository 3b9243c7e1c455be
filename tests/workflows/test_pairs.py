"""Questions come from titles and headings, answers are the documents' own words."""

from hornbook.read.documents import Document
from hornbook.workflows.projects.answers.mined import pairs, pairs_of


def document(text, title=None, name="d"):
    return Document(name, text, "s", metadata={"title": title} if title else {})


def test_title_and_first_paragraph():
    text = "bisect\n\nBisection algorithms keep a list in order.\n\nMore of it follows here."
    found = list(pairs_of(document(text, "bisect")))
    assert [(p.question, p.answer) for p in found] == [
        ("What is bisect?", "Bisection algorithms keep a list in order.")
    ]


def test_headings_of_markdown_and_rst():
    text = "# Attention\n\nIt weighs what came before.\nAll of it.\n\nMemory\n======\n\n" + (
        "A cache keeps keys and values for later tokens."
    )
    found = {pair.question: pair.answer for pair in pairs_of(document(text))}
    assert found == {
        "What is Attention?": "It weighs what came before.\nAll of it.",
        "What is Memory?": "A cache keeps keys and values for later tokens.",
    }


def test_chinese_is_asked_in_chinese():
    (pair,) = pairs_of(document("春眠不覺曉，處處聞啼鳥。\n夜來風雨聲，花落知多少。", "春曉"))
    assert pair.question == "请介绍“春曉”。"
    assert pair.answer.startswith("春眠不覺曉")


def test_long_answers_end_with_a_sentence():
    sentence = "This sentence is one of many that follow each other here. "
    (pair,) = pairs_of(document(sentence * 30, "Long"))
    assert len(pair.answer) <= 600
    assert pair.answer.endswith("here.")


def test_each_question_once_and_evenly_chosen():
    text = "A paragraph that is long enough to be an answer."
    documents = [document(text, f"title {i % 50}", str(i)) for i in range(100)]
    found = pairs(documents, 10)
    assert len({pair.question for pair in found}) == len(found) == 10
    assert found[0].question == "What is title 0?"
    assert found[-1].question == "What is title 45?"


def test_no_title_no_pair():
    assert list(pairs_of(document("Just a text without any title, and nothing else at all."))) == []
