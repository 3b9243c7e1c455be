"""The data card in a real browser: a phone, no JavaScript, both languages, paper."""

import json
from pathlib import Path

import pytest

from hornbook.workflows.curate.report import card_page

pytestmark = pytest.mark.browser
FACTS = Path(__file__).parent.parent / "workflows" / "card.json"
LONG = "/archive/" + "letters-of-discharge_" * 20 + ".jsonl.gz"


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    facts["samples"]["kept"][0]["id"] = facts["quarantine"][0]["file"] = LONG
    facts["mixture"][0].update(name="W" * 200, licence="版权所有" * 60)
    facts["documents"]["dropped"]["x" * 300] = facts["bytes"]["dropped"]["x" * 300] = 10**15
    path = tmp_path_factory.mktemp("card") / "card.html"
    path.write_text(card_page(facts), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, card):
    pages = []

    def show(width=1100, **options):
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        pages.append(page)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(card.as_uri())
        assert asked == [card.as_uri()]
        return page

    yield show
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [320, 390, 700, 1100])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_the_page(opened, width, locale):
    page = opened(width, locale=locale)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    if width < 500:  # not in a part of it either
        wide = (
            "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        )
        assert page.evaluate(f"{wide}.length") == 0


def test_bars_are_as_long_as_their_shares(opened):
    page = opened()
    kept = page.query_selector_all("#account ~ figure .level")[1]
    facts = json.loads(FACTS.read_text(encoding="utf-8"))["bytes"]
    filled = kept.query_selector("i").bounding_box()["width"] / kept.bounding_box()["width"]
    assert filled == pytest.approx(facts["kept"] / facts["in"], abs=0.01)


@pytest.mark.parametrize("scripts", [True, False])
def test_it_changes_its_language_without_javascript(opened, scripts):
    page = opened(390, java_script_enabled=scripts, locale="en-GB")
    en, zh = page.get_by_text("Sources and licences").first, page.get_by_text("来源与许可").first
    assert (en.is_visible(), zh.is_visible()) == (True, False)
    page.click("#tongue")
    assert (en.is_visible(), zh.is_visible()) == (False, True)


def test_samples_unfold_without_javascript(opened):
    page = opened(java_script_enabled=False)
    sample = page.get_by_text("Die Patientin").first
    assert not sample.is_visible()
    page.locator("#samples ~ details summary").first.click()
    assert sample.is_visible()


def test_paper_shows_what_is_folded(opened):
    page = opened()
    page.emulate_media(media="print")
    assert page.query_selector("#checksums ~ details td").bounding_box()["height"] > 5
