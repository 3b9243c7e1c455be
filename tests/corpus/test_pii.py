"""Every finder keeps its contract, and pseudonyms theirs: exact, consistent, idempotent, fast."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.core.errors import UsageError
from hornbook.corpus.pii import FINDERS, Pseudonyms, find_all
from hornbook.corpus.pii.card import luhn
from hornbook.corpus.pii.identities import IDENTITIES
from hornbook.corpus.pii.planted import NEGATIVES, negatives, plant, precision, recall

COUNT = 300
KINDS = sorted(FINDERS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def values(text, kind=None):
    found = find_all(text, None if kind is None else [kind])
    return [text[item.start : item.stop] for item in found]


def test_every_finder_has_planted_identities():
    assert list(FINDERS) == sorted(IDENTITIES) == KINDS


def test_planted_identities_are_found():
    for kind, share in recall(1, COUNT).items():
        assert share.value >= 0.95, kind


def test_what_is_found_is_what_was_planted():
    for kind, share in precision(2, COUNT).items():
        assert share.value >= 0.97, kind


@pytest.mark.parametrize("text", NEGATIVES)
def test_nothing_is_found_where_nothing_is(text):
    assert values(text) == []


def test_nothing_is_found_in_drawn_negatives():
    found = [value for text in negatives(2000, 3) for value in values(text)]
    assert found == []


@each_kind
def test_planting_is_repeatable_and_the_value_is_there_once(kind):
    assert plant(kind, 50, 4) == plant(kind, 50, 4) != plant(kind, 50, 5)
    assert all(text.count(value) == 1 for text, value in plant(kind, 50, 4))


@each_kind
def test_finds_are_in_order_and_apart(kind):
    text = "; ".join(text for text, _ in plant(kind, 60, 6))
    found = find_all(text, [kind])
    assert len(found) > 50 and {item.kind for item in found} == {kind}
    assert all(a.stop <= b.start for a, b in pairwise(found))


@each_kind
@pytest.mark.parametrize("before, after", [("号码：", "。"), ("😀 ", " 𝔘"), ("“", "”"), ("", "\n")])
def test_spans_are_exact_amid_unicode(kind, before, after):
    for _, value in plant(kind, 40, 7):
        alone = FINDERS[kind].find(value)
        if [(item.start, item.stop) for item in alone] != [(0, len(value))]:
            continue  # needs a word of context
        (item,) = FINDERS[kind].find(before + value + after)
        assert (item.start, item.stop) == (len(before), len(before) + len(value))


@pytest.mark.parametrize("kind", ["card", "iban", "national_id"])
def test_a_wrong_digit_is_not_found(kind):
    for text, value in plant(kind, COUNT, 8):
        if "SSN" in text or "social" in text:
            continue  # has no check digit
        places = [i for i, c in enumerate(value) if c.isdigit()]
        wrong = (
            value[: places[-1]] + str((int(value[places[-1]]) + 1) % 10) + value[places[-1] + 1 :]
        )
        assert wrong not in values(text.replace(value, wrong), kind), text


@pytest.mark.parametrize(
    "text",
    [
        "Phone: 555 0123",
        "Tel. 8 (495) 123-45-67",
        "Телефон: 8-800-555-35-35",
        "call me on 98765 43210",
        "电话：62345678",
        "聯絡電話：(02) 2345 6789",
        "電話 090-1234-5678",
        "휴대폰 010-1234-5678",
        "Teléfono: 91 123 45 67",
        "tel. 600 123 456",
        "Tlf: 12345678",
        "Puh. 09 123 4567",
        "phone 1300 123 456",
        "هاتف: 02 123 4567",
        "फोन: 98765 43210",
        "โทร. 02-123-4567",
        "To order, call 1-800-555-0199",
    ],
)
def test_behind_a_word_for_it_any_countrys_number_is_a_phone(text):
    (found,) = find_all(text, ["phone"])
    digits = [place for place, c in enumerate(text) if c.isdigit()]
    assert found.start <= digits[0] and digits[-1] < found.stop


@pytest.mark.parametrize(
    ("number", "issuer"),
    [
        ("2131 000000 00008", "jcb"),
        ("3530 1113 3330 0000", "jcb"),
        ("6759 6498 2643 8453", "maestro"),
        ("6304 0000 0000 0000", "maestro"),
        ("6200 0000 0000 0000 003", "unionpay"),
        ("3095 0000 0000 00", "diners"),
        ("3782 822463 10005", "amex"),
        ("6011 1111 1111 1117", "discover"),
        ("9792 0000 0000 0001", "troy"),
    ],
)
def test_cards_of_all_schemes_are_found(number, issuer):
    digits = number.replace(" ", "")
    check = str(next(d for d in range(10) if luhn(digits[:-1] + str(d))))
    for joint in (" ", "-", "\u00a0", "\u2011"):
        (found,) = find_all(f"paid by {number[:-1].replace(' ', joint)}{check}.", ["card"])
        assert (found.subtype, found.stop - found.start) == (issuer, len(number))


def test_bare_digits_count_as_a_card_by_what_stands_before():
    assert values("Order no. 6759649826438453", "card") == []
    assert values("Maestro card 6759649826438453", "card") == ["6759649826438453"]
    assert values("5641820000000005", "card") == []
    assert values("卡号：5641820000000005", "card") == ["5641820000000005"]


HOSTILE = {
    "digits": "1",
    "at": "@",
    "dots": "a.",
    "mail": "a@a.",
    "colons": "2001:",
    "quads": "1.2.3.4",
    "groups": "4111 ",
    "single": "0 ",
    "zeros": "0",
    "pluses": "+49",
    "parens": "(0",
    "ibans": "DE89",
    "spaces": " ",
    "mobiles": "13812345678-",
}


@each_kind
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_text_is_quick(kind, name):
    unit = HOSTILE[name]
    text, start = unit * (2**18 // len(unit)), time.process_time()
    FINDERS[kind].find(text)
    assert time.process_time() - start < 5  # backtracking would take hours


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "Jane.Doe@Example.COM", "jane.doe@example.com"),
        ("phone", "+49 (0)171 1234567", "0049 171-1234567"),
        ("phone", "138 1234 5678", "+86 13812345678"),
        ("phone", "(212) 555-0123", "+1 212 555 0123"),
        ("phone", "(212) 555-0123", "212-555-0123 ext. 45"),
        ("phone", "138 1234 5678", "１３８１２３４５６７８"),
        ("ip", "2A00:1450:0:0::200e", "2a00:1450::200e"),
        ("card", "4111-1111-1111-1111", "4111111111111111"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        (
            "iban",
            "DE89 3704 0044 0532 0130 00",
            "de 89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00",
        ),
        ("card", "3782-822463-10005", "3782 8224 6310 005"),
        ("national_id", "11010519491231002x", "110105 19491231 002X"),
    ],
)
def test_spellings_of_one_value_are_one_pseudonym(kind, one, other):
    names = Pseudonyms(b"key")
    text, found = names.replace(f"Either {one} or {other}.")
    assert [item.kind for item in found] == [kind, kind]
    first, second = re.fullmatch("Either (.+) or (.+)\\.", text).groups()
    assert first == second == names.of(kind, one)
    assert Pseudonyms(b"other").of(kind, one) != first


@each_kind
def test_pseudonyms_differ_by_value_and_match_their_pattern(kind):
    names, planted = Pseudonyms(b"key"), [value for _, value in plant(kind, 100, 9)]
    made = {names.of(kind, value) for value in planted}
    assert len(made) > (70 if kind == "ip" else 97)
    assert all(re.fullmatch(FINDERS[kind].pseudonyms(), name) for name in made)
    assert not any(values(name) for name in made)


@each_kind
def test_replacing_twice_changes_nothing_more(kind):
    names = Pseudonyms(b"key")
    for joint in ("\n", " ", "", ", ", "-", ":"):
        text = joint.join(value for _, value in plant(kind, COUNT, 10))
        once, _ = names.replace(text)
        assert names.replace(once) == (once, [])


PIECES = st.one_of(
    st.sampled_from([v for kind in KINDS for _, v in plant(kind, 15, 11)]),
    st.sampled_from(
        [*" -.,:/()@+\n\0_xX0", "tel ", "version ", "[PHONE-", "电话", "2024-11-25", "192.0.2.7"]
    ),
    st.text("0123456789abXZ .-@:", max_size=12),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_replaced_once_and_around_the_finds_unchanged(text):
    names = Pseudonyms(b"key")
    once, found = names.replace(text)
    assert names.replace(once) == (once, [])
    at, rest = 0, once
    for item in found:
        assert at <= item.start < item.stop <= len(text)
        head = text[at : item.start] + names.of(item.kind, text[item.start : item.stop])
        assert rest.startswith(head)
        at, rest = item.stop, rest[len(head) :]
    assert rest == text[at:]


def test_the_longest_find_wins_then_the_most_specific():
    assert values("mail 13812345678@qq.com now") == ["13812345678@qq.com"]
    (item,) = find_all("IBAN DE89 3704 0044 0532 0130 00.")
    assert item.kind == "iban"
    phone_too = "phone or NHS 943 476 5919"
    assert [f.kind for f in find_all(phone_too)] == ["national_id"]
    assert [f.kind for f in find_all(phone_too, ["phone"])] == ["phone"]


def test_only_the_kinds_asked_for_are_replaced():
    text = "a.b@c.org, 8.8.44.44"
    assert Pseudonyms(b"key", ("ip",)).replace(text)[0].startswith("a.b@c.org, 192.0.2.")
    assert Pseudonyms(b"key", ()).replace(text) == (text, [])


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="need a key"):
        Pseudonyms(b"")
    with pytest.raises(UsageError, match="Did you mean 'email'"):
        Pseudonyms(b"key", ["emial"])
    with pytest.raises(UsageError, match="Did you mean 'phone'"):
        plant("phon", 1, 0)
