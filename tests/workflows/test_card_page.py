"""The page of a data card: every fact in both languages, hostile text escaped, parts left out."""

import copy
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hornbook.workflows.curate.report import card_page

CARD = json.loads(Path(__file__).with_name("card.json").read_text(encoding="utf-8"))
OPTIONAL = {
    "mixture": "Mixture",
    "rules": "Quality rules",
    "decontamination": "Decontamination",
    "samples": "Samples",
    "quarantine": "Quarantine",
    "duplicates": "Duplicates",
}
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & {{ 7 * 7 }} 春眠不覺曉'


class Page(HTMLParser):
    """Collects tags, anchors and the references to them, references elsewhere, and the text."""

    def __init__(self, card):
        super().__init__()
        self.tags, self.anchors, self.references, self.text = [], [], [], ""
        self.html = card_page(card)
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.anchors += [value for key, value in attrs if key == "id" and tag == "h2"]
        self.references += [v for k, v in attrs if k in ("src", "href", "action") and v]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def card():
    return copy.deepcopy(CARD)


def strings(value, path=()):
    """Where strings stand in plain data."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from strings(item, (*path, key))


def test_the_example_is_sound(card):
    for kind in ("documents", "bytes"):
        books = card[kind]
        assert books["in"] == books["kept"] + sum(books["dropped"].values())


def test_facts_appear(card):
    text = Page(card).text
    counts = [card[kind][side] for kind in ("documents", "bytes") for side in ("in", "kept")]
    counts += [*card["documents"]["dropped"].values(), *card["bytes"]["dropped"].values()]
    counts += [*card["pii"].values(), card["characters"], card["tokens"]["kept"]]
    counts += [card["duplicates"][kind] for kind in ("exact", "url", "near", "paragraphs")]
    counts += [
        n for file in card["decontamination"]["files"] for n in (file["items"], file["found"])
    ]
    counts += [row[kind] for row in card["languages"] for kind in ("read", "kept", "bytes")]
    counts += [side[kind] for side in card["split"].values() for kind in ("documents", "bytes")]
    counts += [b["documents"] for b in card["lengths"]]
    for count in counts:
        assert f"{count:,}" in text, count
    for found in [
        *card["checksums"].values(),
        *card["warnings"],
        *(r["name"] for r in card["mixture"]),
    ]:
        assert found in text
    tokens = CARD["languages"][0]
    assert f"{tokens['bytes'] / tokens['tokens']:.2f}" in text
    assert "98.61–99.96 %" in text  # recall's interval


@pytest.mark.parametrize(
    ("en", "zh"),
    [
        ("Sources and licences", "来源与许可"),
        ("no licence stated", "未声明许可"),
        ("dropped: exact duplicate", "去除：完全重复"),
        ("dropped: holds a curly brace", "去除：含有花括号"),
        ("dropped: not JSON", "去除：不是 JSON"),
        ("German", "德语"),
        ("not identified", "未识别"),
        ("Han", "汉字"),
        ("payment card numbers", "银行卡号"),
        ("validation, held out", "验证（留出）"),
    ],
)
def test_both_languages_say_it(card, en, zh):
    html = Page(card).html
    assert f'<span class="en" lang="en">{en}</span><span class="zh" lang="zh">{zh}</span>' in html


def test_text_of_others_is_shown_and_never_run(card):
    clean = Page(card)
    places = list(strings(card))
    for path in places:
        if path[0] != "near_mode":  # a word of ours
            *way, last = path
            target = card
            for key in way:
                target = target[key]
            target[last] = HOSTILE
    for path in ("documents", "bytes", "tokens"):
        card[path]["dropped"][HOSTILE] = 1
    for kind in ("fields", "pii", "scripts", "checksums"):
        card[kind][HOSTILE] = 1
    card["rules"][HOSTILE] = {"judged": 2, "hits": 1}
    card["pii_recall"][HOSTILE] = card["pii_recall"]["email"]
    card["samples"]["dropped"][HOSTILE] = card["samples"]["kept"]
    page = Page(card)
    assert page.tags.count("script") == clean.tags.count("script") == 1
    assert "img" not in page.tags
    assert HOSTILE in page.text
    assert page.html.count("<script") == 1


def test_nothing_is_fetched(card):
    page = Page(card)
    assert all(reference.startswith("#") for reference in page.references)
    assert "url(" not in page.html


@pytest.mark.parametrize("key", OPTIONAL)
def test_a_missing_fact_leaves_no_trace(card, key):
    assert key in Page(card).anchors
    card[key] = [] if key == "quarantine" else {}
    if key not in ("rules", "quarantine"):
        del card[key]
    page = Page(card)
    assert key not in page.anchors
    assert OPTIONAL[key] not in page.text
    assert [f"#{anchor}" for anchor in page.anchors] == page.references


def test_a_card_with_nothing_optional(card):
    for key in ("tokens", "tokenizer", "mixture", "pii_recall", "decontamination", "warnings"):
        del card[key]
    for row in card["languages"]:
        del row["tokens"]
    card.update(rules={}, pii={}, fields={}, quarantine=[], scripts={}, languages=[])
    card["duplicates"]["groups"] = []
    for kind in ("documents", "bytes"):
        card[kind].update(dropped={}, kept=card[kind]["in"])
    page = Page(card)
    for absent in ("token", "词元", "Recall", "Warnings", "dropped: exact", "The largest groups"):
        assert absent not in page.text
    assert "No licence was stated for any source." in page.text
    assert "No personal data was replaced" in page.text
    assert [f"#{anchor}" for anchor in page.anchors] == page.references


def test_a_reason_may_take_bytes_and_no_document(card):
    card["bytes"]["dropped"]["paragraph language"] = 4321
    assert "4,321" in Page(card).text
    assert "段落语言不在所选之列" in Page(card).text


def test_what_has_no_name_is_shown_as_it_is(card):
    card["languages"][0]["language"] = "qaa"
    card["rules"]["a_rule_of_mine"] = {"judged": 5, "hits": 0}
    card["pii"]["blood_group"] = 3
    text = Page(card).text
    assert all(name in text for name in ("qaa", "a_rule_of_mine", "blood_group"))


@pytest.mark.parametrize(
    ("mode", "section", "said", "unsaid"),
    [
        ("drop", None, "the others dropped", "looked for."),
        ("ignore", None, "Near duplicates were not looked for.", "near duplicates of an earlier"),
        ("together", None, "on one side of the split", "the others dropped"),
        ("together", 900, "Held-out sections have neighbours", "on one side of the split"),
    ],
)
def test_what_is_said_of_copies_holds(card, mode, section, said, unsaid):
    card.update(near_mode=mode, section=section)
    text = Page(card).text.replace("kinds that were not looked for", "")
    assert said in text
    assert unsaid not in text


def test_small_and_large_shares_are_not_rounded_away(card):
    card["bytes"].update({"in": 10**9, "kept": 10**9 - 10, "dropped": {"empty": 10}})
    page = Page(card)
    assert ">99.9 %" in page.text
    assert "<0.1 %" in page.text
    assert "1,000 MB" in page.text or "1.00 GB" in page.text


def test_the_same_facts_give_the_same_page(card):
    assert card_page(card) == card_page(json.loads(json.dumps(card)))
    assert card == CARD


def test_one_source_seen_once_is_no_mixture(card):
    only = {**card["mixture"][0], "name": "other", "licence": "", "copies": 1.0}
    card["mixture"] = [only]
    page = Page(card)
    assert "mixture" not in page.anchors
    assert "no licence stated" in page.text
    card["mixture"] = [{**only, "copies": 1.5}]
    assert "mixture" in Page(card).anchors
