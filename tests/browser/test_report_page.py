"""The report in a real browser: both languages, pictures that are drawn, nothing fetched."""

import numpy as np
import pytest

from hornbook.corpus.build import build
from hornbook.workflows.projects.images.project import Images
from hornbook.workflows.projects.pairs.project import Pairs
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET

pytestmark = pytest.mark.browser


def text_report(folder):
    (folder / "text").mkdir()
    for i in range(40):
        text = f"春眠不覺曉，處處聞啼鳥。 <b>{i}</b> The tablet reads the child & writes. " * (
            3 + i % 5
        )
        (folder / "text" / f"{i}.txt").write_text(text)
    project = Text(build([folder / "text"], folder / "corpus", progress=QUIET))
    plan = {"vocab": 300, "depth": 1, "width": 64, "context": 32, "rows": 4}
    values = {"tokens": 3000, "plan": plan, "compiled": False, "device": "cpu"}
    train(project, folder / "run", project.request(values), progress=QUIET)


def pairs_report(folder):
    rows = [f"eins <i>{i}</i> zwei\t春 {i} & two\n" for i in range(90)]
    for name, part in (("train", rows[:60]), ("validation", rows[60:75]), ("test", rows[75:])):
        (folder / f"{name}.tsv").write_text("".join(part))
    plan = {"vocab": 280, "width": 32, "depth": 1, "heads": 2, "context": 40, "tokens": 300}
    values = {"family": "transformer", "steps": 12, "plan": plan, "device": "cpu"}
    splits = [[folder / f"{name}.tsv"] for name in ("train", "validation", "test")]
    project = Pairs(*splits)
    train(project, folder / "run", project.request(values), progress=QUIET)


def images_report(folder):
    image, draw = pytest.importorskip("PIL.Image"), np.random.default_rng(0)
    for part in ("train", "test"):
        for label in ("<b>über</b>", "下"):
            (folder / "images" / part / label.replace("/", "")).mkdir(parents=True)
            for i in range(12):
                pixels = draw.integers(0, 255, (8, 8), np.uint8)
                place = folder / "images" / part / label.replace("/", "") / f"{i}.png"
                image.fromarray(pixels).save(place)
    values = {"steps": 12, "size": 8, "channels": 1, "plan": {"rows": 8}, "compiled": False}
    project = Images(folder / "images")
    train(project, folder / "run", project.request(values), progress=QUIET)


REPORTS = {"text": (text_report, 3), "pairs": (pairs_report, 2), "images": (images_report, 1)}
"""How a report of each kind is made, and how many pictures it draws."""


@pytest.fixture(scope="module", params=REPORTS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def report(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    REPORTS[kind][0](folder)
    return folder / "run" / "report.html"


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
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert not faults
    page.close()


def test_pictures_have_a_size_and_text_stays_inside_the_page(browser, report, kind):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(report.as_uri())
    boxes = [picture.bounding_box() for picture in page.query_selector_all("svg")]
    assert len(boxes) == REPORTS[kind][1]
    assert all(box["width"] > 200 and box["height"] > 80 for box in boxes)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    page.close()
