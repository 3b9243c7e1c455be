"""Languages of plain text: signs of markup, addresses, control characters, unknown languages."""

import random

import pytest

from hornbook.core.errors import UsageError
from hornbook.corpus.build import build
from hornbook.corpus.language import language_of
from hornbook.corpus.recipe import recipe_of

ENGLISH = "The river was high, and people stood on the bridge to look at the water."
GERMAN = "Der Fluss war hoch, und die Leute standen auf der Brücke und sahen ins Wasser."


@pytest.mark.parametrize(
    "text",
    [
        f"< Back to Blog\n{ENGLISH}",
        f"<{ENGLISH}>",
        f"<html lang=de>{ENGLISH}",
        f"if a < b and c > d: {ENGLISH}",
        f"<!-- {ENGLISH} -->",
        f"&lt;p&gt; {ENGLISH}",
        f"\0{ENGLISH}",
        f"{ENGLISH}\x1b[0m\ufffe\ud800",
        f"{ENGLISH} See https://example.com/strom/fluss/wasser-und-mehr.html for more of it.",
    ],
)
def test_plain_text_is_plain_text(text):
    assert language_of(text).code == "en"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "<",
        "https://example.com/the/house/of/people\n" * 10,
        "http://www.beispiel.de/politik/ausland/nachrichten.html " * 4,
        "write.to.me@example.com, and.me@example.com, or.him@example.com",
        "12 13 14\n15 16 17\n" * 20,
        "=== *** --- 2024-11-25 10:30 $5.00 ===",
        "c29tZSB0ZXh0IG9mIGEgZmlsZQ" * 20,
    ],
)
def test_what_has_no_words_has_no_language(text):
    assert language_of(text) == ("", 0.0)


def invented(draw):
    """Words of a language that nobody speaks: its own syllables, frequent words and rare ones."""
    consonants, vowels = draw.sample("bdfghjklmnprstvwyz", 9), draw.sample("aeiouéäöû", 5)
    syllables = [c + v for c in consonants for v in vowels]
    words = ["".join(draw.choices(syllables, k=draw.randrange(1, 4))) for _ in range(200)]
    return " ".join(words[int(200 * draw.random() ** 2)] for _ in range(60)).capitalize() + "."


def test_languages_that_cld2_does_not_know_are_unknown():
    texts = [invented(random.Random(i)) for i in range(100)]
    assert sum(language_of(text).code == "" for text in texts) >= 80


@pytest.mark.parametrize(
    ("first", "last"), [(0x1075, 0x1081), (0x1401, 0x1443)], ids=["Shan", "Cree"]
)
def test_letters_of_other_languages_contradict_a_script_that_names_one(first, last):
    draw = random.Random(first)
    letters = [chr(code) for code in range(first, last + 1)]
    text = " ".join("".join(draw.choices(letters, k=5)) for _ in range(40))
    assert language_of(text).code == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Он сказал, что этот вечер был тёплым и ясным.", "ru"),
        ("Вечерта беше топла и ясна, а хората стояха на моста и гледаха реката.", "bg"),
        ("Вечір був теплий і ясний, люди стояли на мосту й дивилися на їхню річку.", "uk"),
        ("Вече је било топло, а људи су стајали на мосту и гледали у реку.", "sr"),
        ("春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。", "zh"),
        ("春はあけぼの。だんだん白くなっていく山ぎわが少し明るくなる。", "ja"),
        ("东京", "zh"),
        ("Guten Morgen", "de"),
        ("Vannet steg, og folk sto på broen og så på elven.", "no"),
    ],
)
def test_letters_decide_between_neighbours_and_short_texts_keep_their_language(text, code):
    assert language_of(text).code == code


def test_a_least_share_drops_what_is_only_partly_in_the_language(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for i in range(12):
        (source / f"whole{i}.txt").write_text(f"{i} {ENGLISH} " * 20)
        (source / f"half{i}.txt").write_text(f"{i} {ENGLISH} " * 11 + f"{i} {GERMAN} " * 9)
    kept = {}
    for share in (0.0, 0.7):
        recipe = recipe_of(None, ["languages=[en]", f"language_share={share}"])
        kept[share] = build([source], tmp_path / f"{share}", recipe).facts["documents"]
    assert kept[0.0]["kept"] == 24
    assert kept[0.7]["kept"] == 12 and kept[0.7]["dropped"] == {"language": 12}


def test_a_share_of_no_language_is_refused():
    with pytest.raises(UsageError, match="language_share needs languages"):
        recipe_of(None, ["language_share=0.5"])
