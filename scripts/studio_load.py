"""How fast the studio's pages are over much: `python scripts/studio_load.py FOLDER`.

Makes 50 runs of 10,000 points each, 100,000 documents, and a corpus of them in FOLDER,
or takes what was made there before, and prints what each page takes: the first look and the fastest
of five, and the processor seconds of the studio for the first one. With Chromium installed it says
as well how long frames last while a run adds points.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil

from hornbook.core.yaml_text import write_yaml

RUNS, POINTS, DOCUMENTS = 50, 10_000, 100_000
SECONDS = 8
"""For which a run adds points while frames are measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the studio's pages are over much.")
    parser.add_argument("folder", type=Path, help="where runs and documents are made, or were")
    folder = parser.parse_args().folder.absolute()
    if not folder.exists():
        for number in range(RUNS):
            make_run(folder / "work" / f"run-{number:02}")
        make_documents(folder / "documents")
    corpus = folder / "work" / "corpus"
    if not corpus.exists():
        build = [sys.executable, "-m", "hornbook", "corpus", "build", "--out", corpus]
        subprocess.run([*build, folder / "documents.jsonl"], check=True)
    studio = [sys.executable, "-m", "hornbook", "studio", "--folder", folder / "work"]
    begun = subprocess.Popen(
        [*studio, "--port", "0", "--no-browser"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert begun.stderr is not None
        address = next(line for line in begun.stderr if "enter?key=" in line).split()[-1]
        measure(address, folder, psutil.Process(begun.pid))
        if chromium := shutil.which("chromium"):
            frames(address, folder / "work" / "run-00", chromium)
    finally:
        begun.terminate()
        begun.wait()


def make_run(folder: Path) -> None:
    """The files of a run that was stopped, as training writes them."""
    folder.mkdir(parents=True)
    recipe = {
        "kind": "text",
        "loop": {"steps": 2 * POINTS},
        "plan": {"depth": 2, "width": 128 + int(folder.name[-2:])},
        "choices": [["depth", 2, "the smallest there is: the time is short"]],
        "steps_per_epoch": POINTS / 4,
    }
    (folder / "recipe.yaml").write_text(write_yaml(recipe))
    with (folder / "metrics.jsonl").open("w") as log:
        for step in range(1, POINTS + 1):
            log.write(json.dumps(point(step)) + "\n")
            if step % (POINTS // 12) == 0:
                row = {"step": step, "kind": "validation", "tokens": 4096 * step}
                row |= {"bits_per_byte": 3 - step / POINTS, "elapsed_s": step / 10}
                log.write(json.dumps(row) + "\n")


def point(step: int) -> dict[str, object]:
    return {
        "step": step,
        "kind": "train",
        "tokens": 4096 * step,
        "loss": 5 - step / POINTS,
        "gradient_norm": 1.0,
        "elapsed_s": step / 10,
    }


def make_documents(folder: Path) -> None:
    """As many short texts, a thousand in each folder, and all of them as rows of one file."""
    with (folder.parent / "documents.jsonl").open("w") as rows:
        for number in range(DOCUMENTS):
            place = folder / f"{number // 1000:03}"
            if number % 1000 == 0:
                place.mkdir(parents=True)
            text = f"Document {number} says that the filing fee is due."
            (place / f"{number}.txt").write_text(text)
            rows.write(json.dumps({"text": text}) + "\n")


def measure(address: str, folder: Path, process: psutil.Process) -> None:
    """Print the seconds of each page."""
    several = "&".join(f"id=run-{number:02}" for number in range(8))
    pages = [
        "/", "/runs", "/runs/now", "/run?id=run-00", "/run/figures?id=run-00",
        "/run/more?id=run-00", f"/together?{several}", f"/together/figures?{several}", "/new",
        "/new?kind=labels", "/new?kind=answers", "/talk", "/ask", "/ask/now", "/understand",
        "/understand/explain", "/understand/biography", "/understand/memorization",
        "/understand/claims", "/models", "/compare", "/commands", "/commands/evaluate",
        "/corpora", "/corpus?id=corpus",
        "/corpus/documents?id=corpus", "/corpus/documents?id=corpus&at=3000",
        f"/corpus/document?id=corpus&document={folder}/documents.jsonl:50123",
    ]  # fmt: skip
    with httpx2.Client(timeout=120, follow_redirects=True) as client:
        client.get(address)
        site = address.split("/enter")[0]
        for page in pages:
            before = process.cpu_times()
            first = taken(lambda page=page: client.get(site + page))
            after = process.cpu_times()
            busy = after.user + after.system - before.user - before.system
            others = [taken(lambda page=page: client.get(site + page)) for _ in range(5)]
            show(page, [first, *others], busy)
        look(client, site, str(folder / "documents"))


def look(client: httpx2.Client, site: str, place: str) -> None:
    """Print when a look at all documents says something first, how often more, and when it ends."""
    began, form, part = time.perf_counter(), {"paths": place}, {"HX-Request": "true"}
    answer = client.post(f"{site}/new/look", data=form, headers=part).text
    first, times = time.perf_counter() - began, 1
    while "/look?id=" in answer:
        time.sleep(0.2)
        answer = client.get(
            site + answer.split('data-hx-get="')[1].split('"')[0], headers=part
        ).text
        times += 1
    assert f"{DOCUMENTS:,}" in answer, answer
    whole = time.perf_counter() - began
    print(f"a look at all documents: {first:.3f} s to the first word, {whole:.3f} s in all")


def taken(ask: Callable[[], httpx2.Response]) -> float:
    """Seconds of an answer that is well."""
    began = time.perf_counter()
    ask().raise_for_status()
    return time.perf_counter() - began


def show(page: str, seconds: list[float], busy: float) -> None:
    first, least = seconds[0], min(seconds)
    print(f"{first:7.3f} s first, {least:7.3f} s, processor {busy:5.2f} s  {page[:40]}", flush=True)


def frames(address: str, run: Path, chromium: str) -> None:
    """Print how long frames last while the run adds points, ten a second."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.goto(address.split("/enter")[0] + f"/run?id={run.name}")
        page.wait_for_selector("#train canvas")
        page.evaluate(
            "() => { window.times = []; const note = t => { times.push(t); "
            "requestAnimationFrame(note); }; requestAnimationFrame(note); }"
        )
        with (run / "metrics.jsonl").open("a") as log:
            for step in range(POINTS + 1, POINTS + 10 * SECONDS):
                log.write(json.dumps(point(step)) + "\n")
                log.flush()
                page.wait_for_timeout(100)
        times = page.evaluate("times")
        lasted = sorted(b - a for a, b in itertools.pairwise(times))
        browser.close()
    middle, late = lasted[len(lasted) // 2], lasted[int(0.99 * len(lasted))]
    print(f"frames: median {middle:.1f} ms, 99 % within {late:.1f} ms, longest {lasted[-1]:.1f} ms")


if __name__ == "__main__":
    main()
