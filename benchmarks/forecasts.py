"""What is foretold and what comes: `python -m benchmarks.forecasts --home FOLDER`.

Trains on texts, pairs and images of HORNBOOK_DATA for half a minute to a minute and a half each,
one after the other, with a ledger of its own in FOLDER, and prints each forecast beside what was
reached, and how many lie inside their interval of 80 %. Each interval was made before its run, from
the runs before it. A run that the ledger has is not repeated; `--only NAME` takes some of them.
"""

import argparse
import gzip
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import report
from hornbook.workflows.runs.ledger import COVERED, LedgerEntry, entries


class Foretold(NamedTuple):
    """A run. kind: text, pairs or images. data: a folder, for pairs with both sides. more:
    options."""

    kind: str
    data: str
    minutes: float
    more: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.data.replace(' ', '-')}-{self.minutes:g}{self.more}".replace(
            " ", ""
        )


RUNS = (
    Foretold("text", "text_books_en", 0.5),
    Foretold("pairs", "mt_multi30k en de", 1.0),
    Foretold("images", "vision_fashion_mnist", 0.5),
    Foretold("text", "text_poetry_zh", 1.0),
    Foretold("pairs", "mt_cmn_eng", 0.7),
    Foretold("text", "text_legal_de", 0.7),
    Foretold("images", "vision_fashion_mnist", 1.0),
    Foretold("pairs", "mt_multi30k de en", 0.6),
    Foretold("text", "text_techdocs_peps", 1.0),
    Foretold("images", "vision_fashion_mnist", 0.7, "--depth 4"),
    Foretold("text", "text_wiki_en", 0.6),
    Foretold("pairs", "mt_fra_eng", 1.0),
    Foretold("text", "text_books_en", 1.2),
    Foretold("images", "vision_fashion_mnist", 1.3, "--depth 6 --width 96"),
    Foretold("pairs", "mt_multi30k en fr", 1.2),
    Foretold("text", "text_medical_medquad", 0.8),
    Foretold("text", "text_poetry_zh", 0.6),
    Foretold("images", "vision_fashion_mnist", 0.8),
    Foretold("pairs", "mt_multi30k en cs", 0.8),
    Foretold("text", "text_shakespeare", 0.6),
    Foretold("text", "text_techdocs_peps", 0.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the ledger is kept")
    parser.add_argument("--only", nargs="*", help="names of runs")
    parser.add_argument("--table", action="store_true", help="run nothing; show the ledger")
    arguments = parser.parse_args()
    os.environ["HORNBOOK_HOME"] = str(arguments.home.absolute())
    done = {Path(entry.run).name for entry in entries()}
    wanted = [run for run in RUNS if not arguments.only or run.name in arguments.only]
    for run in [] if arguments.table else wanted:
        if run.name not in done:
            _train(run)
    rows = [_row(entry) for entry in entries()]
    for row in rows:
        print(_shown(row), file=sys.stderr)
    inside = sum(row["inside"] for row in rows) / max(1, len(rows))
    report(ours=rows, peers={}, ratio=None, promised=COVERED, inside=inside, runs=len(rows))


def _train(run: Foretold) -> None:
    """Train it in a process of its own, into a folder that does not stay."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        options = {"text": _text, "pairs": _pairs, "images": _images}[run.kind](run, place)
        out = place / run.name
        line = [*options, "--minutes", str(run.minutes), "--out", str(out), "--json"]
        _hornbook(["pretrain", *line, *shlex.split(run.more)], run.name)


def _hornbook(arguments: Sequence[str], name: str) -> None:
    command = [sys.executable, "-m", "hornbook", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = entries()[-1:] if not done.returncode else []
    shown = _shown(_row(last[0])) if last else done.stderr.strip()[-300:]
    print(f"{name}: {shown}", file=sys.stderr, flush=True)


def _data(name: str) -> Path:
    return Path(os.environ["HORNBOOK_DATA"]) / name


def _text(run: Foretold, place: Path) -> list[str]:
    corpus = place / "corpus"
    _build = ["corpus", "build", str(_data(run.data)), "--out", str(corpus)]
    subprocess.run(
        [sys.executable, "-m", "hornbook", *_build], capture_output=True, text=True, check=True
    )
    return ["--corpus", str(corpus)]


def _pairs(run: Foretold, place: Path) -> list[str]:
    """Multi30k is aligned files of each side; the others are tables without a validation part."""
    folder, *sides = run.data.split()
    if not sides:
        train, test = (str(_data(folder) / f"{part}.tsv.gz") for part in ("train", "test"))
        return ["--pairs", train, "--validation", test, "--test", test]
    found = []
    parts = {"--pairs": "train", "--validation": "val", "--test": "test_2016_flickr"}
    for option, part in parts.items():
        # Where a language has no validation file, the test is validated on, too.
        there = all((_data(folder) / f"{part}.{side}.gz").is_file() for side in sides)
        for side in sides:
            name = f"{part if there else parts['--test']}.{side}"
            packed = _data(folder) / f"{name}.gz"
            (place / name).write_bytes(gzip.decompress(packed.read_bytes()))
            found += [option, str(place / name)]
    return found


def _images(run: Foretold, place: Path) -> list[str]:
    folder = place / run.data
    shutil.copytree(_data(run.data), folder)
    return ["--images", str(folder)]


def _row(entry: LedgerEntry) -> dict[str, Any]:
    foretold, reached = entry.foretold, entry.reached
    return {
        "run": Path(entry.run).name,
        "measure": entry.measure,
        "steps": reached["steps"],
        "foretold": [foretold[name] for name in ("score", "low", "high")],
        "reached": reached["score"],
        "error": reached["score"] / foretold["score"] - 1,
        "inside": entry.inside,
        "slope": entry.slope,
        "distance": reached["steps"] / foretold["rehearsed_steps"],
        "seconds": [foretold["seconds"], reached["seconds"]],
        "peak_bytes": [foretold["peak_bytes"], reached["peak_bytes"]],
    }


def _shown(row: dict[str, Any]) -> str:
    score, low, high = row["foretold"]
    return (
        f"| {row['run']} | {row['steps']} | {score:.3f} ({low:.3f}–{high:.3f}) | "
        f"{row['reached']:.3f} | {row['error']:+.1%}, {'in' if row['inside'] else 'OUT'} | "
        f"{row['slope'] or 0:.3f} | {row['seconds'][0]:.0f} / {row['seconds'][1]:.0f} s |"
    )


if __name__ == "__main__":
    main()
