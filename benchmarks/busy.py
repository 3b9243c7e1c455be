"""Steps and minutes beside busy programs: `python -m benchmarks.busy text pairs`.

Starts busy loops of its own, which end with it, however it ends, and runs each command by turns
with as many threads as Hornbook takes by itself and with one. A command is `text` or `pairs`
(pretraining on a text, or on pairs of sentences), or a command line of hornbook, quoted, with
{out} for a new folder, such as
"finetune MODEL --data rows.jsonl --minutes 2 --out {out}". Printed are the minutes given and used,
the steps (summed over the parts of a comparison), and the ratio of the steps of both. `--loops 0`
measures a machine that nobody else uses.
"""

import argparse
import contextlib
import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import default_text, report

_LOOP = """
import os
while os.getppid() == {parent}:
    for _ in range(10**6):
        pass
"""
_WAYS: dict[str, dict[str, str]] = {"default": {}, "one thread": {"OMP_NUM_THREADS": "1"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="+", help="text, pairs, or a command line")
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.5, help="of text and pairs")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [_command(name, arguments.minutes, place) for name in arguments.commands]
        with _busy(arguments.loops):
            found = {line: _compared(line, arguments.rounds, place) for line in lines}
    ratios = [one["steps_ratio"] for one in found.values() if one["steps_ratio"] is not None]
    report(ours=found, peers={}, ratio=min(ratios, default=None), loops=arguments.loops)


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    program = _LOOP.format(parent=os.getpid())
    loops = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _command(name: str, minutes: float, folder: Path) -> str:
    """The command line; what `text` and `pairs` need is prepared while nothing is busy."""
    if name == "text":
        corpus = folder / "corpus"
        sources, _ = default_text("text_books_en")
        _hornbook(shlex.join(["corpus", "build", *sources, "--out", str(corpus)]), {})
        return f"pretrain --corpus {corpus} --minutes {minutes} --out {{out}}"
    if name == "pairs":
        splits = {"--pairs": "train", "--validation": "val", "--test": "test_2016_flickr"}
        files = " ".join(
            f"{option} {_unpacked(f'{split}.{side}', folder)}"
            for option, split in splits.items()
            for side in ("en", "de")
        )
        return f"pretrain {files} --minutes {minutes} --out {{out}}"
    return name


def _unpacked(name: str, folder: Path) -> Path:
    """A file of Multi30k, as text."""
    packed = Path(os.environ["HORNBOOK_DATA"]) / "mt_multi30k" / f"{name}.gz"
    (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder / name


def _compared(line: str, rounds: int, folder: Path) -> dict[str, Any]:
    """What each way gave, round by round, and the ratio of all steps."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in _WAYS}
    for turn in range(rounds):
        for way, environment in _WAYS.items():
            out = folder / f"run-{time.monotonic_ns()}"
            runs[way].append(_measured(line.replace("{out}", str(out)), environment))
            print(f"{way}, round {turn + 1}: {runs[way][-1]}", file=sys.stderr, flush=True)
    ours, theirs = (sum(run["steps"] for run in runs[way]) for way in _WAYS)
    shares = [r["minutes_used"] / r["minutes"] for rs in runs.values() for r in rs if r["minutes"]]
    return {
        "runs": runs,
        "steps_ratio": ours / theirs if theirs else None,
        "most_of_its_minutes": max(shares, default=None),
    }


def _measured(line: str, environment: dict[str, str]) -> dict[str, Any]:
    """Minutes given and used, steps, and the scores that the result has."""
    words, began = shlex.split(line), time.monotonic()
    result = json.loads(_hornbook(line + " --json", environment).splitlines()[-1])
    asked = float(words[words.index("--minutes") + 1]) if "--minutes" in words else None
    scores = {name: result[name] for name in ("bits_per_byte", "bleu", "accuracy", "loss")
              if name in result}  # fmt: skip
    return {
        "minutes": asked,
        "minutes_used": round((time.monotonic() - began) / 60, 3),
        "steps": _steps(result),
        **{n: s["value"] if isinstance(s, dict) and "value" in s else s for n, s in scores.items()},
    }


def _steps(result: Any) -> int:
    """Of a run its own, of a comparison those of its parts."""
    if isinstance(result, list):
        return sum(map(_steps, result))
    if not isinstance(result, dict):
        return 0
    own = result.get("steps")
    parts = (value for name, value in result.items() if name not in ("forecast", "shortened"))
    return own if isinstance(own, int) else sum(map(_steps, parts))


def _hornbook(line: str, environment: dict[str, str]) -> str:
    known = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-m", "hornbook", *shlex.split(line)]
    done = subprocess.run(
        command, env={**known, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
