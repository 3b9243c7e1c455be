"""The report in a real browser: both languages, pictures that are drawn, nothing fetched."""

import shutil

import pytest

from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.workflows.pretrain import Inputs, pretrain, request_of

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "text").mkdir()
    for i in range(40):
        text = f"春眠不覺曉，處處聞啼鳥。 <b>{i}</b> The tablet reads the child & writes. " * (
            3 + i % 5
        )
        (folder / "text" / f"{i}.txt").write_text(text)
    inputs = Inputs(build([folder / "text"], folder / "corpus", progress=Progress(quiet=True)))
    plan = {"vocab": 300, "depth": 1, "width": 64, "context": 32, "rows": 4}
    values = {"tokens": 3000, "plan": plan, "compiled": False, "device": "cpu"}
    run = folder / "run"
    pretrain(inputs, run, request_of(inputs, values), progress=Progress(quiet=True))
    return run / "report.html"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize(
    ("locale", "shown", "other"),
    [("zh-CN", "学得怎样", "How well it learned"), ("en-GB", "How well it learned", "学得怎样")],
)
def test_it_speaks_the_readers_language_and_the_other(browser, report, locale, shown, other):
    page = browser.new_page(locale=locale)
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report.as_uri())
    assert page.get_by_text(shown).first.is_visible()
    assert not page.get_by_text(other).first.is_visible()
    page.click("#tongue")
    assert page.get_by_text(other).first.is_visible()
    assert asked == [report.as_uri()]
    assert not faults
    page.close()


def test_pictures_have_a_size_and_text_stays_inside_the_page(browser, report):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(report.as_uri())
    boxes = [picture.bounding_box() for picture in page.query_selector_all("svg")]
    assert len(boxes) == 3
    assert all(box["width"] > 200 and box["height"] > 80 for box in boxes)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    page.close()
