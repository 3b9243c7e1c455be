"""The pictures of docs/studio.md: `python scripts/studio_pictures.py WORK [MODEL] [--only NAME]`.

WORK is the work folder of a studio with finished runs, an index, a corpus built by the recipe
`web`, a comparison and an explanation; MODEL what is talked to, NAME a picture; by default all are
made. Chromium must be installed. Writes docs/studio/*.png.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

OUT = Path(__file__).parent.parent / "docs" / "studio"
WIDE, PHONE = 1100, 390


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--only", nargs="*", default=[picture[0] for picture in PICTURES])
    given = parser.parse_args()
    command = [sys.executable, "-m", "hornbook", "studio", *given.models, "--folder", given.work]
    OUT.mkdir(exist_ok=True)
    begun = subprocess.Popen(
        [*command, "--port", "0", "--no-browser"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert begun.stderr is not None
        address = next(line for line in begun.stderr if "enter?key=" in line).split()[-1]
        with sync_playwright() as started:
            browser = started.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for name, path, width, scheme, locale, act in PICTURES:
                if name not in given.only:
                    continue
                view = {"width": width, "height": 720 if width == WIDE else 844}
                page = browser.new_page(viewport=view, color_scheme=scheme, locale=locale)
                page.goto(address)
                page.goto(address.split("/enter")[0] + path)
                act(page)
                page.wait_for_timeout(800)
                page.screenshot(path=OUT / f"{name}.png")
                page.close()
                make_small(OUT / f"{name}.png")
            browser.close()
    finally:
        begun.terminate()
        begun.wait()


def make_small(picture: Path) -> None:
    """Pages have few colours: a palette takes a third of the space."""
    image = Image.open(picture).convert("RGB")
    image.quantize(96, dither=Image.Dither.NONE).save(picture, optimize=True)


def look(page: Page) -> None:
    """As it is."""


def ask(question: str):
    def act(page: Page) -> None:
        page.fill("#question", question)
        page.click(".ask button")
        page.wait_for_selector("#answer .answer", timeout=120_000)

    return act


def below(selector: str):
    """Scrolled to a part of the page."""

    def act(page: Page) -> None:
        page.wait_for_selector(selector)
        page.evaluate("selector => document.querySelector(selector).scrollIntoView()", selector)

    return act


def rows(page: Page) -> None:
    """What is learned of a few rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps([{"instruction": one, "output": other} for one, other in ROWS]))
        page.fill("#paths", str(file))
        page.wait_for_selector("[name=model] option", state="attached", timeout=60_000)
        page.click("button:has-text('Look at them')")
        below("#look .tokens")(page)
    page.evaluate("scrollBy(0, -220)")


def open_last(page: Page) -> None:
    page.click("ul.lines a >> nth=0")
    page.wait_for_timeout(1500)  # it has a page of its own inside


def talk(page: Page) -> None:
    page.fill("[name=most]", "60")
    page.click(".parameters summary")
    page.fill("[name=temperature]", "0.3")
    page.fill("[name=seed]", "1")
    page.click(".parameters summary")
    page.fill("#message", "What is the capital of France?")
    page.click("button.main")
    page.wait_for_selector(".token", timeout=60_000)
    page.wait_for_selector("#halt", state="hidden", timeout=60_000)
    page.locator(".token").nth(6).click()


ROWS = [
    ("What is a hornbook?", "A small tablet from which children learned to read."),
    ("Who held it?", "The child, by its handle."),
    ("What stood on it?", "The alphabet, and often a prayer."),
]
RUN = "/run?id=depth-4"
TOGETHER = "/together?id=depth-2&id=depth-4"
PICTURES = [
    ("home", "/", WIDE, "light", "en-GB", look),
    ("run", RUN, WIDE, "light", "en-GB", look),
    ("run-phone", RUN, PHONE, "dark", "zh-CN", look),
    ("forecast", "/new?kind=text&name=ahead", WIDE, "light", "en-GB", below("#foretold")),
    ("rows", "/new?kind=answers", WIDE, "light", "en-GB", rows),
    ("together", TOGETHER, WIDE, "light", "en-GB", below(".chart")),
    ("together-phone", TOGETHER, PHONE, "dark", "zh-CN", look),
    ("talk", "/talk", WIDE, "dark", "en-GB", talk),
    (
        "ask",
        "/ask?index=rules",
        WIDE,
        "light",
        "en-GB",
        ask("Who reads the file before the hearing?"),
    ),
    ("models", "/models", WIDE, "light", "en-GB", look),
    ("corpus", "/corpus?id=web", WIDE, "light", "en-GB", look),
    ("review", "/corpus/review?id=web&rule=gopher_word_count", WIDE, "dark", "en-GB", look),
    ("comparison", "/comparison?id=reviews", WIDE, "light", "en-GB", look),
    ("compare-phone", "/compare", PHONE, "dark", "zh-CN", look),
    ("explanation", "/understand/explain", WIDE, "light", "en-GB", open_last),
    ("ask-phone", "/ask?index=rules", PHONE, "light", "zh-CN", ask("商标注册申请的费用是多少？")),
]

if __name__ == "__main__":
    main()
