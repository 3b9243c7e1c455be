"""The studio in a real browser: every page, a run begun and watched, a model that talks."""

import json
import re

import httpx2
import pytest

from tests.browser.conftest import MINUTE, PAGES
from tests.serve.studio.conftest import HOSTILE, KEY
from tests.tiny import sentences

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [320, 390, 1100])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_every_page_fits(opened, width, locale):
    page = opened("/", width, locale=locale)
    for path in PAGES:
        page.goto(re.match("https?://[^/]+", page.url)[0] + path)
        page.wait_for_timeout(300)  # charts are drawn
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
        assert page.title() != "taken" and not page.query_selector("img")


def test_the_first_page_is_small(browser, studio):
    url, _ = studio
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/enter?key={KEY}")
    page.goto(f"{url}/runs", wait_until="load")
    sizes = page.evaluate(
        "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
        ".map(one => one.encodedBodySize)"
    )
    context.close()
    assert len(sizes) > 3
    assert 10_000 < sum(sizes) < 150_000


def test_the_keyboard_goes_through(opened):
    page = opened("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"/new", "/talk", "/runs"} <= seen


def test_a_table_is_sorted(opened, studio):
    page = opened("/runs")
    names = lambda: page.locator("tbody td:first-child a").all_inner_texts()  # noqa: E731
    page.click("th button:has-text('Run')")
    assert names() == ["deep/letters", "tablet"]
    page.click("th button:has-text('Run')")
    assert names() == ["tablet", "deep/letters"]
    page.click("th button:has-text('Steps')")
    assert names() == ["tablet", "deep/letters"]
    page.click("th button:has-text('Run')")
    (studio[1] / "work" / "tablet" / "recipe.yaml").touch()  # its rows come anew
    with page.expect_response("**/runs/now"):
        pass
    page.wait_for_timeout(200)
    assert names() == ["deep/letters", "tablet"]


def test_a_page_follows_a_run(opened, studio):
    page = opened("/run?id=deep/letters")
    page.wait_for_selector("#train canvas")
    page.get_by_text("20 / 40").wait_for()
    row = {"step": 21, "kind": "train", "tokens": 2688, "loss": 4.0, "elapsed_s": 2.1}
    with (studio[1] / "work" / "deep" / "letters" / "metrics.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    page.get_by_text("21 / 40").wait_for(timeout=5000)


def test_a_model_talks_and_is_gone_on_with(opened):
    page = opened("/talk")
    page.select_option("[name=mode]", "text")
    page.fill("[name=most]", "12")
    page.click(".parameters summary")
    page.fill("[name=temperature]", "0")
    page.fill("#message", "the hornbook and 春眠")
    page.click("button:has-text('Send')")
    page.wait_for_selector("#halt", state="hidden", timeout=MINUTE)
    tokens = page.locator(".turn.assistant .token")
    assert tokens.count() > 2
    page.locator(".turn.assistant").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    others = page.locator(".instead button")
    assert others.count() >= 2
    before, other = tokens.nth(0).inner_text(), others.nth(1).inner_text()
    others.nth(1).click()
    page.wait_for_selector("#halt", state="hidden", timeout=MINUTE)
    assert tokens.nth(0).inner_text() == before
    assert tokens.nth(1).inner_text().replace("\n", "↵") == other or other in "␣↵�"
    page.reload()
    assert tokens.nth(0).inner_text() == before


@pytest.mark.slow
def test_a_run_is_begun_watched_stopped_and_gone_on_with(opened, studio):
    folder = sentences(studio[1] / "text", "The {} reads the {} and the {} until it is tired. ")
    page = opened("/new")
    page.set_input_files("#files", sorted(folder.iterdir()))
    page.get_by_text("30 of 30 files are here").wait_for()
    page.click("button:has-text('Look at them')")
    page.wait_for_selector("#look .sample")
    page.reload()
    assert str(studio[1] / "work" / "texts") in page.input_value("#paths")
    page.fill("[name=minutes]", "0.8")
    page.fill("[name=name]", "mine")
    page.click("button:has-text('Start')")
    page.wait_for_selector("#charts:not([hidden]) canvas", timeout=2 * MINUTE)
    page.reload()
    page.wait_for_selector("#charts:not([hidden]) canvas", timeout=MINUTE)
    page.click("button:has-text('Stop')")
    page.wait_for_selector("button:has-text('Go on')", timeout=MINUTE)
    page.click("button:has-text('Go on')")
    page.wait_for_selector("a:text-is('Report')", timeout=3 * MINUTE)
    with httpx2.Client(cookies={c["name"]: c["value"] for c in page.context.cookies()}) as client:
        assert client.get(f"{studio[0]}/report?id=mine").status_code == 200


@pytest.mark.slow
def test_documents_are_added_and_asked(opened, studio):
    folder = studio[1] / "documents"
    folder.mkdir()
    chinese = "第一条 本办法自二〇二四年五月一日起施行。\n\n第三条 每件商标注册申请的费用为三百元。"
    (folder / "法规.txt").write_text(chinese)
    (folder / "fees.txt").write_text(f"The filing fee is 300 euros {HOSTILE}. It is due in May.")
    page = opened("/ask")
    if not page.locator("details").evaluate("form => form.open"):  # there are others already
        page.click("summary")
        page.select_option("details [name=index]", "")
    page.fill("#paths", str(folder))
    page.fill("[name=name]", "rules")
    page.click("button:has-text('Read them')")
    page.click("a:has-text('Ask them now')", timeout=2 * MINUTE)
    page.fill("#question", "How much is the filing fee?")
    page.click(".ask button")
    page.wait_for_selector("#answer .answer", timeout=2 * MINUTE)
    assert "300 euros" in page.inner_text("#answer .answer")
    assert "300 euros" in page.inner_text("#answer mark >> nth=0")
    assert page.title() != "taken" and not page.query_selector("#answer img")
    page.fill("#question", "商标注册申请的费用是多少？")
    page.click(".ask button")
    page.locator("#answer .answer", has_text="费用为三百元").wait_for(timeout=MINUTE)
    page.fill("#question", "Who won the football match on Sunday?")
    page.click(".ask button")
    page.get_by_text("Nothing in these documents answers that.").wait_for(timeout=MINUTE)
