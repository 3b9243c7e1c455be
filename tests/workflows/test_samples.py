"""How samples begin: with a few words that break off where text goes on."""

import pytest

from hornbook.workflows.projects.text.samples import beginnings


class Texts:
    def __init__(self, *texts):
        self.texts = lambda side: iter(texts)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("華林滿芳景，洛陽徧陽春。\n朱顏含遠日", "華林滿芳景，洛陽"),
        ("春眠不覺曉。\n處處聞啼鳥。", "春眠不覺曉"),
        ("第一条 为了保护合同当事人的合法权益，", "第一"),
        ("It was the best of times, it was the worst", "It was the best of times,"),
    ],
)
def test_a_beginning_breaks_off_before_a_sign(text, beginning):
    assert beginnings(Texts(text), 1) == [beginning]


def test_without_text_there_is_an_empty_one():
    assert beginnings(Texts(), 3) == [""]
