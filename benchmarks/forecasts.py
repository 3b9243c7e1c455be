"""What is foretold and what comes: `python -m benchmarks.forecasts --home FOLDER`.

Trains on texts, pairs and images of HORNBOOK_DATA, one after the other, with a ledger of its own in
FOLDER, and prints each forecast beside what was reached, and how many lie inside their interval of
80 %. Each interval was made before its run, from the runs before it. A run that the ledger has is
not repeated. `--small` trains small models for steps instead of minutes, on parts of the data: for
a machine that many use. The rule of the interval was chosen on the first set of runs; `--second` is
another one, with a folder of its own, on which nothing was chosen.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import report
from hornbook.corpus.build import build
from hornbook.datasets.idx import write
from hornbook.datasets.image_data import LabelledImages
from hornbook.datasets.pairs import Pair, read_pairs
from hornbook.read.documents import Document
from hornbook.read.sources import find_files, read_file
from hornbook.workflows.projects.images.project import Images
from hornbook.workflows.projects.pairs.project import Pairs
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.ledger import COVERED, LedgerEntry, entries
from hornbook.workflows.train import train

DIGITS = "digits"
"""Of scikit-learn, and not of HORNBOOK_DATA."""
_PART = 700_000
"""Characters of a text that small runs learn from."""
_HELD_OUT = {True: 150, False: 1000}
"""Pairs to validate and to test on, of small runs and of others."""


class Foretold(NamedTuple):
    """A run. kind: text, pairs or images. data: a folder, for aligned pairs with both sides.
    minutes: of a run of the usual size; steps: of a small one. plan: sizes besides. seed: of the
    weights and the order."""

    kind: str
    data: str
    minutes: float
    steps: int
    plan: dict[str, int] = {}  # noqa: RUF012  nobody changes it
    seed: int = 0

    @property
    def name(self) -> str:
        words = [self.kind, *self.data.split(), f"{self.minutes:g}"]
        seed = [f"seed{self.seed}"] if self.seed else []
        return "-".join([*words, *(f"{key}{value}" for key, value in self.plan.items()), *seed])


RUNS = (
    Foretold("text", "text_books_en", 0.5, 320),
    Foretold("pairs", "mt_multi30k en de", 1.0, 480),
    Foretold("images", "vision_fashion_mnist", 0.5, 320),
    Foretold("text", "text_poetry_zh", 1.0, 640),
    Foretold("pairs", "mt_cmn_eng", 0.7, 400),
    Foretold("text", "text_legal_de", 0.7, 400),
    Foretold("images", "vision_fashion_mnist", 1.0, 640),
    Foretold("pairs", "mt_multi30k de en", 0.6, 320),
    Foretold("text", "text_techdocs_peps", 1.0, 640),
    Foretold("images", "vision_fashion_mnist", 0.7, 400, {"depth": 3}),
    Foretold("text", "text_wiki_en", 0.6, 320),
    Foretold("pairs", "mt_fra_eng", 1.0, 480),
    Foretold("text", "text_books_en", 1.2, 800),
    Foretold("images", "vision_fashion_mnist", 1.3, 800, {"width": 64}),
    Foretold("pairs", "mt_multi30k en fr", 1.2, 640),
    Foretold("text", "text_medical_medquad", 0.8, 480),
    Foretold("text", "text_poetry_zh", 0.6, 400),
    Foretold("images", "vision_fashion_mnist", 0.8, 480),
    Foretold("pairs", "mt_multi30k en cs", 0.8, 400),
    Foretold("text", "text_shakespeare", 0.6, 480),
    Foretold("text", "text_techdocs_peps", 0.5, 320),
)
SECOND = (
    Foretold("text", "text_arxiv", 0.6, 360, seed=11),
    Foretold("pairs", "mt_fra_eng", 0.8, 440, seed=12),
    Foretold("images", DIGITS, 0.5, 360, seed=13),
    Foretold("text", "text_wiki_en", 0.9, 560, seed=14),
    Foretold("pairs", "mt_multi30k fr en", 0.9, 520, seed=15),
    Foretold("images", "vision_fashion_mnist", 0.9, 560, {"width": 48}, seed=16),
    Foretold("text", "text_medical_medquad", 0.6, 360, seed=17),
    Foretold("text", "text_tinystories", 0.9, 600, seed=18),
    Foretold("pairs", "mt_multi30k cs en", 0.6, 360, seed=19),
    Foretold("images", "vision_fashion_mnist", 1.4, 900, seed=20),
    Foretold("text", "text_legal_dc", 0.7, 440, {"depth": 3}, seed=21),
    Foretold("pairs", "mt_multi30k de fr", 1.1, 700, seed=22),
    Foretold("text", "text_shakespeare", 1.1, 720, seed=23),
    Foretold("images", DIGITS, 0.8, 520, {"depth": 3}, seed=24),
    Foretold("text", "news_bbc", 0.8, 520, seed=25),
    Foretold("pairs", "mt_fra_eng", 1.3, 840, seed=26),
    Foretold("text", "text_web_c4", 0.5, 300, seed=27),
    Foretold("images", "vision_fashion_mnist", 0.6, 360, {"rows": 48}, seed=28),
    Foretold("text", "text_wiki_en", 1.4, 900, {"width": 96}, seed=29),
    Foretold("pairs", "mt_multi30k cs fr", 0.7, 440, seed=30),
    Foretold("text", "sentiment_imdb", 1.0, 640, seed=31),
    Foretold("images", "vision_fashion_mnist", 1.1, 720, {"depth": 4}, seed=32),
    Foretold("text", "text_medical_medquad", 1.2, 800, seed=33),
    Foretold("pairs", "mt_multi30k en cs", 1.0, 600, seed=34),
)
"""Other data, seeds and steps than those that the rule was chosen on, as far as there are any."""
SMALL: dict[str, dict[str, Any]] = {
    "text": {"vocab": 1024, "depth": 2, "width": 64, "heads": 2, "context": 64, "rows": 8},
    "pairs": {"vocab": 1023, "depth": 1, "width": 64, "heads": 2, "tokens": 512},
    "images": {"depth": 2, "width": 32, "heads": 1, "rows": 32},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the ledger is kept")
    parser.add_argument("--small", action="store_true", help="small models, for a busy machine")
    parser.add_argument("--second", action="store_true", help="the set that nothing was chosen on")
    parser.add_argument("--table", action="store_true", help="run nothing; show the ledger")
    arguments = parser.parse_args()
    os.environ["HORNBOOK_HOME"] = str(arguments.home.absolute())
    done = {Path(entry.run).name for entry in entries()}
    for run in () if arguments.table else SECOND if arguments.second else RUNS:
        if run.name not in done:
            _train(run, arguments.small)
            print(_shown(_row(entries()[-1])), file=sys.stderr, flush=True)
    rows = [_row(entry) for entry in entries()]
    inside = sum(row["inside"] for row in rows) / max(1, len(rows))
    for row in rows if arguments.table else []:
        print(_shown(row), file=sys.stderr)
    report(ours=rows, peers={}, ratio=None, promised=COVERED, inside=inside, runs=len(rows))


def _train(run: Foretold, small: bool) -> None:
    """Train it, into a folder that does not stay."""
    with tempfile.TemporaryDirectory() as folder:
        place, began = Path(folder), time.monotonic()
        makers: dict[str, Any] = {"text": _text, "pairs": _pairs, "images": _images}
        made = makers[run.kind](run, place, small)
        length: dict[str, Any] = {"minutes": run.minutes}
        sizes: dict[str, Any] = dict(run.plan)
        if small:
            sizes = SMALL[run.kind] | run.plan
            tokens = run.steps * 8 * 64
            length = {"tokens": tokens} if run.kind == "text" else {"steps": run.steps}
        more: dict[str, Any] = {"beams": 1} if run.kind == "pairs" and small else {}
        more["seed"] = run.seed
        train(made, place / run.name, plan=sizes, compiled=False, began=began, **length, **more)


def _data(name: str) -> Path:
    return Path(os.environ["HORNBOOK_DATA"]) / name


def _text(run: Foretold, place: Path, small: bool) -> Text:
    source = place / "text"
    source.mkdir()
    left = _PART if small else 10**12
    for number, text in enumerate(_documents(_data(run.data))):
        (source / f"{number:06d}.txt").write_text(text[:left], encoding="utf-8")
        left -= len(text)
        if left <= 0:
            break
    return Text(build([source], place / "corpus"))


def _documents(folder: Path) -> Iterator[str]:
    for file in find_files([folder]):
        for item in read_file(file):
            if isinstance(item, Document):
                yield item.text


def _pairs(run: Foretold, place: Path, small: bool) -> Pairs:
    """Multi30k is aligned files of each side; the others are tables. What is held out of both is
    of their test files."""
    folder, *sides = run.data.split()
    if sides:
        train_files, test_files = (
            [_data(folder) / f"{part}.{side}.gz" for side in sides]
            for part in ("train", "test_2016_flickr")
        )
    else:
        train_files, test_files = ([_data(folder) / f"{p}.tsv.gz"] for p in ("train", "test"))
    found = [pair for pair in read_pairs(test_files) if isinstance(pair, Pair)]
    most = _HELD_OUT[small]
    parts = {"validation": found[:most], "test": found[-most:]}
    parts["train"] = [pair for pair in read_pairs(train_files) if isinstance(pair, Pair)]
    for name, part in parts.items():
        lines = ("\t".join(" ".join(side.split()) for side in pair) + "\n" for pair in part)
        (place / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return Pairs(*(place / f"{name}.tsv" for name in ("train", "validation", "test")))


def _images(run: Foretold, place: Path, small: bool) -> Images:
    if run.data != DIGITS:
        return Images(_data(run.data))
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels.reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
    names, folder = tuple(map(str, range(10))), place / "images"
    folder.mkdir()
    for part, chosen in (("train", slice(1400)), ("t10k", slice(1400, None))):
        write(folder, part, LabelledImages(pixels[chosen], labels[chosen].astype(np.int64), names))
    return Images(folder)


def _row(entry: LedgerEntry) -> dict[str, Any]:
    foretold, reached = entry.foretold, entry.reached
    return {
        "run": Path(entry.run).name,
        "measure": entry.measure,
        "steps": reached["steps"],
        "rehearsed_steps": foretold["rehearsed_steps"],
        "foretold": [foretold[name] for name in ("score", "low", "high")],
        "reached": reached["score"],
        "error": reached["score"] / foretold["score"] - 1,
        "inside": entry.inside,
        "slope": entry.slope,
        "seconds": [foretold["seconds"], reached["seconds"]],
        "peak_bytes": [foretold["peak_bytes"], reached["peak_bytes"]],
    }


def _shown(row: dict[str, Any]) -> str:
    score, low, high = row["foretold"]
    inside = "inside" if row["inside"] else "outside"
    return (
        f"| {row['run']} | {row['steps']} | {score:.3f} ({low:.3f}–{high:.3f}) | "
        f"{row['reached']:.3f} | {row['error']:+.1%}, {inside} | {row['slope'] or 0:.3f} | "
        f"{row['seconds'][0]:.0f} / {row['seconds'][1]:.0f} s |"
    )


if __name__ == "__main__":
    main()
