"""Ways of a person: Chinese PDFs to a cited answer, a table to a verdict, a model to a file."""

import json

import pytest

from tests.browser.conftest import MINUTE
from tests.serve.studio.hostile import RULE

pytestmark = pytest.mark.browser
ARTICLES = {
    "商标": "第三条 每件商标注册申请的费用为三百元，续展注册的费用为五百元。",
    "档案": "第七条 病历档案自患者最后一次就诊之日起保存三十年，影像资料保存十五年。",
    "假期": "第十二条 职工工作满十年不满二十年的，年休假为十天。",
}
"""Of each file what it says on its second page."""


def write_pdfs(browser, folder):
    """Files of two pages each, as a program for texts writes them."""
    folder.mkdir()
    page = browser.new_page()
    for name, article in ARTICLES.items():
        page.set_content(
            f"<h1>{name}管理办法</h1><p>第一条 为了规范{name}管理，制定本办法。</p>"
            f"<p style='break-before: page'>{article}</p>"
        )
        page.pdf(path=folder / f"{name}.pdf")
    page.close()
    return folder


@pytest.mark.slow
def test_a_folder_of_chinese_pdfs_to_a_cited_answer(browser, opened, studio):
    folder = write_pdfs(browser, studio[1] / "laws")
    page = opened("/ask", locale="zh-CN")
    if not page.locator("details").evaluate("form => form.open"):  # there are others already
        page.click("summary")
        page.select_option("details [name=index]", "")
    page.fill("#paths", str(folder))
    page.fill("[name=name]", "laws")
    page.click("button:has-text('读取')")
    page.click("a.button.main", timeout=2 * MINUTE)
    page.fill("#question", "病历档案要保存多少年？")
    page.click(".ask button")
    page.locator("#answer .answer", has_text="三十年").wait_for(timeout=2 * MINUTE)
    cited = page.locator("#answer blockquote a").first
    assert "档案.pdf" in cited.inner_text() and "第 2 页" in cited.inner_text()
    view = page.locator("#answer .paper").first
    assert view.locator("img").evaluate("image => image.naturalWidth > 400")
    assert view.locator("rect").count() >= 1
    page.fill("#question", "昨天的足球比赛谁赢了？")
    page.click(".ask button")
    page.get_by_text("这些文档中没有能回答它的内容").wait_for(timeout=MINUTE)


@pytest.mark.slow
def test_a_table_to_a_verdict(opened, studio):
    rows = ["subject,kind\n"]
    for i in range(150):
        what = ("refund my broken order,complaint", "wonderful and thank you,praise")[i % 2]
        rows.append(f"please number {i} {what}\n")
    page = opened("/compare")
    table = {"name": "mails.csv", "mimeType": "text/csv", "buffer": "".join(rows).encode()}
    page.set_input_files("#files", table)
    page.get_by_text("1 of 1 files are here").wait_for()
    page.click("button:has-text('Look at it')")
    page.get_by_text("column subject").wait_for(timeout=MINUTE)
    page.reload()
    page.fill("#new [name=minutes]", "0.5")
    page.fill("#new [name=name]", "mails")
    page.click("#new button.main")
    page.get_by_text("running").first.wait_for(timeout=MINUTE)
    page.locator(".verdict", has_text="Recommended:").wait_for(timeout=3 * MINUTE)
    best = page.locator(".ladder tbody tr").first
    assert "100.0 %" in best.inner_text() and best.locator("svg line").count() == 1
    reason = json.loads((studio[1] / "work" / "mails" / "result.json").read_text())["verdict"]
    assert reason["choose"] in page.inner_text(".verdict")
    page.goto(studio[0] + "/compare")
    assert page.locator("li", has_text="mails").count() == 1


@pytest.mark.slow
def test_a_model_is_exported_with_its_certificate(opened, studio):
    page = opened("/model?origin=given&name=decoder")
    page.select_option("[name=type]", "q8_0")
    page.fill("[name=file]", "small")
    page.click("button:has-text('Write it')")
    page.locator("a", has_text="exports/small.gguf").first.click(timeout=2 * MINUTE)
    page.get_by_text("Largest difference of a logit").wait_for()
    assert (studio[1] / "work" / "exports" / "small.gguf.parity.json").is_file()
    page.click("a:has-text('Talk to it')")
    assert page.input_value("[name=model]") == "exports/small.gguf"


@pytest.mark.slow
def test_a_pull_that_fails_says_why(opened, studio, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    page = opened("/models")
    page.locator("#another ~ form [name=name]").fill("hf://nobody/nothing")
    page.click("#another ~ form button")
    wrong = page.locator(".begun .wrong", has_text="hf://nobody/nothing")
    wrong.wait_for(timeout=MINUTE)


@pytest.mark.slow
def test_an_answer_is_explained(opened):
    page = opened("/understand/explain")
    page.select_option("[name=of]", "given:decoder")
    page.fill("#text", "the hornbook and other")
    page.click("button:has-text('Begin')")
    shown = page.frame_locator("iframe.page")
    shown.get_by_text("What it comes from").first.wait_for(timeout=2 * MINUTE)
    page.goto(page.url.split("/understood")[0] + "/understand/explain")
    page.locator("a", has_text="the hornbook and other").click()
    page.frame_locator("iframe.page").get_by_text("What it comes from").first.wait_for()


def test_a_rule_is_reviewed_with_the_keyboard(opened, studio):
    answers = studio[1] / "work" / "corpus.review.jsonl"
    page = opened(f"/corpus/review?id=corpus&rule={RULE}")
    for number, key in enumerate("yny", 1):
        page.wait_for_load_state()
        page.keyboard.press(key)
        page.get_by_text(f"{number} of 13 answered").wait_for()
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["good"] for row in rows] == [True, False, True]
    page.click("text=Answer it again")
    page.wait_for_url("**document=**", wait_until="load")
    page.keyboard.press("n")
    page.get_by_text("you said no").wait_for()
    assert len(answers.read_text().splitlines()) == 4


def test_documents_are_gone_through_by_pages(opened, studio):
    page = opened("/corpus?id=corpus")
    page.click("text=too few or too many words >> nth=0")
    assert page.locator("article").count() == 4
    page.locator("article a").first.click()
    page.get_by_text("What was measured").wait_for()
    name = page.inner_text("h1")
    page.goto(f"{studio[0]}/corpus?id=corpus")
    page.fill("[name=document]", name)
    page.click("button:has-text('Look for it')")
    page.locator(".state", has_text="dropped").wait_for()
