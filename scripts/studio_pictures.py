"""The pictures of docs/studio.md: `python scripts/studio_pictures.py WORK [MODEL]`.

WORK is the work folder of a studio with a finished run and an index, MODEL what is talked to.
Chromium must be installed. Writes docs/studio/*.png.
"""

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

OUT = Path(__file__).parent.parent / "docs" / "studio"
WIDE, PHONE = 1100, 390


def main() -> None:
    work, *models = sys.argv[1:]
    command = [sys.executable, "-m", "hornbook", "studio", *models, "--folder", work]
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
                view = {"width": width, "height": 720 if width == WIDE else 844}
                page = browser.new_page(viewport=view, color_scheme=scheme, locale=locale)
                page.goto(address)
                page.goto(address.split("/enter")[0] + path)
                act(page)
                page.wait_for_timeout(800)
                page.screenshot(path=OUT / f"{name}.png")
                page.close()
            browser.close()
    finally:
        begun.terminate()
        begun.wait()


def look(page: Page) -> None:
    """As it is."""


def ask(question: str):
    def act(page: Page) -> None:
        page.fill("#question", question)
        page.click(".ask button")
        page.wait_for_selector("#answer .answer", timeout=120_000)

    return act


def talk(page: Page) -> None:
    page.fill("[name=most]", "60")
    page.fill("#message", "What is the capital of France?")
    page.click("button.main")
    page.wait_for_selector(".token", timeout=60_000)
    page.wait_for_selector("#halt", state="hidden", timeout=60_000)
    page.locator(".token").nth(6).click()


RUN = "/run?id=letters/pretrain"
PICTURES = [
    ("home", "/", WIDE, "light", "en-GB", look),
    ("run", RUN, WIDE, "light", "en-GB", look),
    ("run-phone", RUN, PHONE, "dark", "zh-CN", look),
    ("talk", "/talk", WIDE, "dark", "en-GB", talk),
    (
        "ask",
        "/ask?index=rules",
        WIDE,
        "light",
        "en-GB",
        ask("Who reads the file before the hearing?"),
    ),
    ("ask-phone", "/ask?index=rules", PHONE, "light", "zh-CN", ask("商标注册申请的费用是多少？")),
]

if __name__ == "__main__":
    main()
