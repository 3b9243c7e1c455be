"""The pictures of docs/studio.md: `python scripts/studio_pictures.py WORK [MODEL] [--only NAME]`.

WORK is the work folder of a studio; what the pictures show is made there by Hornbook's commands
where it is not there yet, of Python's documentation, in about five minutes. MODEL is what is talked
to and explained, a pulled name; NAME a picture, or a pattern of names, by default all. Chromium
must be installed. Writes docs/studio/*.png; with --every FOLDER, instead of them, all pages there
in light and dark, English and Chinese, for desktop and phone, and the form of each command in two
of these ways.
"""

import argparse
import csv
import itertools
import json
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from hornbook.cli import app
from hornbook.cli.command_forms import command_forms
from hornbook.corpus.corpus import Corpus
from hornbook.read.documents import Document
from hornbook.read.pydocs import read_pydocs
from hornbook.serve.studio.jobs import Jobs

OUT = Path(__file__).parent.parent / "docs" / "studio"
WIDE, PHONE = 1100, 390


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--only", nargs="*", default=["*"])
    parser.add_argument("--every", type=Path)
    given = parser.parse_args()
    make(Path(given.work), *given.models[:1])
    command = [sys.executable, "-m", "hornbook", "studio", *given.models, "--folder", given.work]
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
            pictures = every() if given.every else PICTURES
            chosen = [one for one in pictures if any(fnmatch(one[0], only) for only in given.only)]
            for name, path, width, scheme, locale, act in chosen:
                out = (given.every or OUT) / f"{name}.png"
                out.parent.mkdir(parents=True, exist_ok=True)
                take(browser, address, (path, width, scheme, locale, act), out, bool(given.every))
            browser.close()
    finally:
        begun.terminate()
        begun.wait()


def take(browser: Browser, address: str, what: tuple, out: Path, whole: bool) -> None:
    """One picture. whole: of all of a page, however long."""
    path, width, scheme, locale, act = what
    view = {"width": width, "height": 720 if width == WIDE else 844}
    page = browser.new_page(viewport=view, color_scheme=scheme, locale=locale)
    page.goto(address)
    page.goto(address.split("/enter")[0] + path)
    act(page)
    page.wait_for_timeout(800)
    page.screenshot(path=out, full_page=whole)
    page.close()
    make_small(out)


def every() -> list[tuple]:
    """Each page in all ways, and the form of each command, of which one looks like another, wide in
    English and narrow in Chinese."""
    pages = {name.removesuffix("-phone"): (path, act) for name, path, *_, act in PICTURES} | MORE
    ways = list(itertools.product((WIDE, PHONE), ("light", "dark"), ("en-GB", "zh-CN")))
    found = [(name, path, *way, act) for name, (path, act) in pages.items() for way in ways]
    found += [
        (f"form-{form.name}", f"/commands/{form.name}", *way, look)
        for form in command_forms(typer.main.get_command(app))
        for way in (ways[0], ways[-1])
    ]
    return [
        (f"{name}-{width}-{scheme}-{locale[:2]}", path, width, scheme, locale, act)
        for name, path, width, scheme, locale, act in found
    ]


def make(work: Path, model: str = "") -> None:
    """What the pictures show, where it is not there yet."""
    work = work.absolute()
    texts = work / "texts" / "rules"
    texts.mkdir(parents=True, exist_ok=True)
    for name, text in RULES.items():
        (texts / name).write_text(text, encoding="utf-8")
    table = work / "texts" / "manuals.csv"
    if not table.exists():
        write_table(table)
    made = {
        "rules": ["index", "--wait", texts],
        "web": ["corpus", "build", "python-docs", "--recipe", "web"],
        **{f"depth-{n}": ["pretrain", "--corpus", work / "web", "--depth", n, "--minutes", 1,
                          "--keep", 6, "--canaries", 5] for n in (2, 4)},
        "claims": ["claims", "--only", "domain", "--only", "curated", "--minutes", 2],
        "manuals": ["compare", "--task", "classify", "--data", table, "--minutes", 1],
    }  # fmt: skip
    for name, command in made.items():
        if not (work / name).exists():
            run(*command, "--out", work / name)
    jobs = Jobs(work)
    manual = work / "texts" / "manual.txt"
    manual.write_text("\n\n".join(one.text for one in read_pydocs() if is_language(one)))
    ahead = ["quickstart", f"--text={manual}", "--minutes=5", f"--out={work / 'ahead'}"]
    text = next(iter(Corpus.open(work / "web").texts("train")))
    sentence = next(line for line in text.split("\n") if len(line) > 40)
    depth = str(work / "depth-4")
    begun = [
        ("ahead.forecast", [*ahead, "--dry-run", "--json"]),
        (f"understood/{BIOGRAPHY}", ["biography", *page_of(work, BIOGRAPHY), depth, sentence]),
        ("understood/memorization-1", ["memorization", "--json", "--", depth]),
        ("commands/plan-1", ["plan", "--json", "--", depth]),
        ("doctor", ["doctor", "--json"]),
    ]
    if model:
        text = ["--text=The capital of France is", "--contexts", "0"]
        explain = ["explain", *text, *page_of(work, EXPLANATION), model]
        begun.append((f"understood/{EXPLANATION}", explain))
    for out, command in begun:
        if jobs.making(out) is None and jobs.find(out) is None:
            jobs.begin(out, command, answers=True)
            while (job := jobs.find(out.replace("/", "."))) and job.alive:
                time.sleep(0.5)


def page_of(work: Path, name: str) -> list[str]:
    """Options by which a command writes its page where the studio looks for it."""
    page = work / "understood" / name / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    return ["--html", str(page), "--json", "--"]


def run(*command: object) -> None:
    """A command of Hornbook's, which must end well."""
    subprocess.run([sys.executable, "-m", "hornbook", *map(str, command)], check=True)


def is_language(document: Document) -> bool:
    """Whether it is of the language's reference."""
    return ":topic " in document.id


def write_table(path: Path) -> None:
    """Paragraphs of Python's documentation, and whether they are of the language or the library."""
    found: dict[str, list[str]] = {"language": [], "library": []}
    for document in read_pydocs():
        kind = "language" if is_language(document) else "library"
        some = (text for text in document.text.split("\n\n") if 80 < len(text) < 400)
        found[kind] += list(itertools.islice(some, 10))
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "manual"])
        rows.writerows([text, kind] for kind, texts in found.items() for text in texts[:400])


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
        page.wait_for_selector("#answer .answer", timeout=300_000)

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
        page.click("[data-hx-post='/new/look']")
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
    page.wait_for_selector(".token", timeout=300_000)
    page.wait_for_selector("#halt", state="hidden", timeout=300_000)
    page.locator(".token").nth(6).click()


RULES = {
    "fees.txt": "Rules of the court.\n\nThe filing fee is 300 euros. It is due in May.\n\nA hearing"
    " takes place in public. The judge reads the file before the hearing.\n\nAppeals are sent to"
    " the registry within thirty days.\n",
    "收费办法.txt": "第一条 本办法自二〇二四年五月一日起施行。\n\n"
    "第三条 每件商标注册申请的费用为三百元，续展注册的费用为五百元。\n\n"
    "第七条 费用应当在提交申请之日起十五日内缴纳。\n",
}
ROWS = [
    ("What is a hornbook?", "A small tablet from which children learned to read."),
    ("Who held it?", "The child, by its handle."),
    ("What stood on it?", "The alphabet, and often a prayer."),
]
EXPLANATION, BIOGRAPHY = "explain-1", "biography-1"
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
    ("comparison", "/comparison?id=manuals", WIDE, "light", "en-GB", look),
    ("compare-phone", "/compare", PHONE, "dark", "zh-CN", look),
    ("command", "/commands/evaluate", WIDE, "light", "en-GB", look),
    ("explanation", "/understand/explain", WIDE, "light", "en-GB", open_last),
    ("ask-phone", "/ask?index=rules", PHONE, "light", "zh-CN", ask("商标注册申请的费用是多少？")),
]
UNDERSTOOD = "/understood?id=understood/"
MORE = {
    "runs": ("/runs", look),
    "new": ("/new", look),
    **{f"new-{kind}": (f"/new?kind={kind}", look) for kind in ("labels", "pairs", "images")},
    **{
        f"talk-{use}": (f"/talk?use={use}", look)
        for use in ("translate", "summarise", "classify", "decide")
    },
    "understand": ("/understand", look),
    "claims": ("/understand/claims", look),
    "claims-page": ("/report?id=claims", look),
    "explain": ("/understand/explain", look),
    "explain-page": (f"/report?id=understood/{EXPLANATION}", look),
    "biography": ("/understand/biography", look),
    "biography-done": (f"{UNDERSTOOD}{BIOGRAPHY}", look),
    "biography-page": (f"/report?id=understood/{BIOGRAPHY}", look),
    "memorization": ("/understand/memorization", look),
    "memorization-done": (f"{UNDERSTOOD}memorization-1", look),
    "run-report": ("/report?id=depth-4", look),
    "model": ("/model?origin=run&name=depth-4", look),
    "corpora": ("/corpora", look),
    "corpus-card": ("/report?id=web&name=card.html", look),
    "documents": ("/corpus/documents?id=web", look),
    "comparison-page": ("/report?id=manuals", look),
    "commands": ("/commands", look),
    "planned": ("/command?id=commands/plan-1", look),
}
"""Pages that docs/studio.md does not show, by name: the address, and what is done there."""

if __name__ == "__main__":
    main()
