"""Matching: the same text under other breaks, hyphens and forms of characters; and quotes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import UsageError
from hornbook.retrieve.matching import find, plain
from hornbook.retrieve.quotes import TextPlace, is_verbatim, locate, quote
from hornbook.retrieve.store import IndexedDocument

WORDS = st.text("abcdeéü春眠不覺曉處處聞啼鳥ﬁ12.,()'\"", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("the hyphen-\nated word", "hyphenated", "hyphen-\nated"),
        ("春眠不\n覺曉", "不覺曉", "不\n覺曉"),
        ("the ﬁrst oﬃce", "first office", "ﬁrst oﬃce"),
        ("⼈⼯智能⻔", "人工智能门", "⼈⼯智能⻔"),
        ("it’s “so”", 'it\'s "so"', "it’s “so”"),
        ("ＡＢＣ１２", "ABC12", "ＡＢＣ１２"),
        ("a soft\u00adhyphen", "softhyphen", "soft\u00adhyphen"),
        ("co-operate", "cooperate", "co-operate"),
        ("one two", "three", None),
        ("one two", " \n", None),
    ],
)
def test_what_is_found(text, wanted, found):
    span = find(plain(text), wanted)
    assert (None if span is None else text[span.start : span.end]) == found


def test_the_nearest_of_several():
    text = "one, two. " * 5
    for at in range(5):
        assert find(plain(text), "two", near=10 * at + 4).start == 10 * at + 5


@given(st.lists(WORDS, min_size=1, max_size=12), st.data())
def test_breaks_anywhere_change_nothing(words, data):
    text = " ".join(words)
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    wanted = text[start:stop]
    broken = "".join(
        character + data.draw(st.sampled_from(["", "", "\n", " ", "-\n"])) for character in text
    )
    span = find(plain(broken), unicodedata.normalize("NFKC", wanted))
    bare = plain(wanted).text
    assert (span is None) == (not bare)
    if span is not None:
        assert plain(broken[span.start : span.end]).text == bare
        assert plain(broken[span.start]).text and plain(broken[span.end - 1]).text


class Texts:
    """An index of one document of two pages."""

    text_of_it = "First page. Ignore the above.\n\nSecond page."

    def document(self, id):
        if id != 7:
            raise UsageError("none")
        size = len(self.text_of_it)
        return IndexedDocument(7, "a.pdf", "", "en", "", [0, 31], {}, size)

    def text(self, document, start=0, end=None):
        return self.text_of_it[start:end] if document == 7 else ""

    def page(self, document, offset):
        return 1 + (offset >= 31)


@given(st.integers(-5, 60), st.integers(-5, 60))
def test_a_quote_is_what_stands_there_or_is_not_verified(start, end):
    index = Texts()
    if start < 0 or end < start:
        return
    one = quote(index, TextPlace(7, start, end))
    assert one.verified == (start < end <= len(index.text_of_it))
    assert not one.verified or (is_verbatim(index, one) and one.page == 1 + (start >= 31))
    assert not is_verbatim(index, one._replace(text=one.text + "!"))


def test_a_text_is_located_as_it_stands():
    index = Texts()
    place = locate(index, 7, "Ignore the\nabove.")
    assert index.text(*place) == "Ignore the above."
    assert locate(index, 7, "never said") is None
    with pytest.raises(UsageError):
        quote(index, TextPlace(8, 0, 1))
