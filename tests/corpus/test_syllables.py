"""Scripts without spaces: words are clusters, the same in any company, and rules and near copies
see them.
"""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.corpus.near import NearConfig, components, pairs, signatures
from hornbook.corpus.rules import RULES
from hornbook.corpus.texts import Texts


def words(*texts):
    batch = Texts(texts)
    found = [[] for _ in texts]
    for start, stop, owner in zip(*batch.words, strict=True):
        found[owner].append(batch.data[start:stop].tobytes().decode())
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ภาษาไทย", "ภา ษา ไท ย"),
        ("ที่บ้านเสียงดัง", "ที่ บ้า น เสี ย ง ดั ง"),
        ("พระองค์ใช้Windows 10 ในปี ๒๕๖๗ครับ", "พ ระ อ งค์ ใช้ Windows 10 ใน ปี ๒๕๖๗ ค รั บ"),
        ("ພາສາລາວ", "ພາ ສາ ລາ ວ"),
        ("ភាសាខ្មែរ។ ខ្ញុំ", "ភា សា ខ្មែ រ ខ្ញុំ"),
        ("ភាសា\u200bកំណើត", "ភា សា កំ ណើ ត"),
        ("မြန်မာဘာသာသည် ကမ္ဘာ၊ နိုင်ငံ့", "မြန် မာ ဘာ သာ သည် ကမ္ဘာ နိုင် ငံ့"),
        ("བོད་སྐད་ནི་ཡིན།", "བོད སྐད ནི ཡིན"),
        ("春眠 and ไทย春", "春 眠 and ไท ย 春"),
        ("a\u200bword–“ok”", "a\u200bword–“ok”"),
    ],
)
def test_clusters_are_cut_by_their_letters(text, expected):
    assert words(text) == [expected.split(" ")]


PIECES = st.sampled_from(
    [
        "ภา",
        "ก",
        "์",
        "เ",
        "ขฺ",
        "៕",
        "ខ្",
        "ញុំ",
        "က",
        "်",
        "္",
        "့",
        "།",
        "་",
        "བ",
        "๑",
        "a",
        " ",
        "\u200b",
        "春",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=8).map("".join), max_size=5))
def test_a_text_has_the_same_words_in_any_company(texts):
    assert words(*texts) == [words(text)[0] for text in texts]


def sentences(first, last, draw, count):
    """Texts of invented clusters of a script, in phrases as it writes them."""
    letters = [chr(code) for code in range(first, last)]
    return [" ".join("".join(draw.choices(letters, k=12)) for _ in range(8)) for _ in range(count)]


@pytest.mark.parametrize(
    ("first", "last"),
    [(0xE01, 0xE2E), (0xE81, 0xE82), (0x1780, 0x17A2), (0x1000, 0x1021)],
    ids=["Thai", "Lao", "Khmer", "Burmese"],
)
def test_near_copies_are_found_where_no_spaces_are_written(first, last):
    draw = random.Random(first)
    texts = sentences(first, max(last, first + 30), draw, 30)
    # A letter of every fourth phrase is another: spaces alone would leave few runs of three.
    copies = [
        " ".join(
            phrase[:5] + chr(first) + phrase[6:] if i % 4 == 1 else phrase
            for i, phrase in enumerate(text.split(" "))
        )
        for text in texts
    ]
    label = components(60, pairs(signatures(Texts(texts + copies), NearConfig()), NearConfig())[0])
    assert all(label[i] == label[30 + i] for i in range(30))
    assert len(set(label.tolist())) == 30


def test_rules_on_words_judge_thai():
    calm = "แม่น้ำสงบและเรือจอดนิ่งอยู่ตอนเที่ยง เด็กๆ เล่นอยู่ริมฝั่งจนถึงเย็นแล้วจึงกลับบ้าน"
    again = "รองเท้าถูกมาก" * 20
    batch = Texts([calm, again], ["th", "th"])
    count, _ = RULES["gopher_word_count"].parse({}, "").judge(batch)
    assert 35 <= count[0] <= 60 and count[1] > 100
    _, kept = RULES["gopher_top_ngrams"].parse({}, "").judge(batch)
    assert kept.tolist() == [True, False]
    judged, _ = RULES["c4_terminal_lines"].parse({}, "").judge(batch)
    assert np.isnan(judged).all()  # Thai ends sentences with a space
