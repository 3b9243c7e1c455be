"""Tagging and filtering of web text on one core, against `datatrove` with the same rules.

Run as `taskset -c 0 python -m benchmarks.corpus` with HORNBOOK_DATA set; needs `datatrove`, `spacy`
and `nltk` for the peer. Ours reads, identifies languages, applies all rules of Gopher, C4 and
FineWeb, drops exact duplicates and writes Parquet and a card. The peer reads, applies its filters
of Gopher, C4 and FineWeb and writes; its language filter needs a model from a hub and is left out.
Of a few runs of each the fastest is taken: what else the machine does can only slow one down.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import report
from hornbook.core.threads import processors

_DOLMA = 2.4
"""MiB/s a core that the Dolma toolkit's authors publish for their taggers (arXiv 2402.00159)."""
_LINES = 8
"""Of plain text, taken together as a document."""
_GROWING = (10, 30, 100, 300)
"""Megabytes of text."""
_NOISE = 0.02
"""Share of the words of a repeated document that are replaced, so that no copy is exact."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("HORNBOOK_DATA"))
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    parser.add_argument(
        "--memory", action="store_true", help="peaks from 10 to 300 MB, near duplicates dropped"
    )
    parser.add_argument("--peer-megabytes", type=float, default=4.0, help="the peer is slower")
    parser.add_argument("--only", choices=("ours", "near", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("HORNBOOK_DATA, or --data, must name the folder of the data sets.")
    if arguments.only:
        print(json.dumps(_WORK[arguments.only](arguments.source)))
        return
    if arguments.memory:
        report(ours=_memory(arguments.data), peers={}, ratio=None)
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, megabytes in (
            ("ours", arguments.megabytes),
            ("near", arguments.megabytes),
            ("peer", arguments.peer_megabytes),
        ):
            source = Path(folder) / f"{name}.jsonl"
            size = _write(arguments.data, source, int(megabytes * 2**20))
            runs = [_measured(name, source, size, arguments.data) for _ in range(arguments.repeats)]
            found[name] = min(runs, key=lambda run: run["seconds"])
            found[name]["all_seconds"] = [round(run["seconds"], 2) for run in runs]
    ours, peer = found["ours"], found["peer"]
    report(
        ours=ours,
        peers={"datatrove": peer, "dolma, as published": {"mib_per_second_core": _DOLMA}},
        ratio=ours["mib_per_second_core"] / peer["mib_per_second_core"],
        ratio_to_dolma=ours["mib_per_second_core"] / _DOLMA,
        with_near_duplicates=found["near"],
    )


def _memory(data: Path) -> list[dict[str, Any]]:
    """Peaks of all processes together, at sizes that grow threefold."""
    found = []
    for megabytes in _GROWING:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "text.jsonl"
            facts = _measured("near", source, _write(data, source, megabytes * 10**6), data)
        found.append({"megabytes": megabytes, **facts})
    return found


def _measured(name: str, source: Path, size: int, data: Path) -> dict[str, Any]:
    """Run one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.corpus", "--data", str(data)]
    done = subprocess.run(
        [*command, "--only", name, "--source", str(source)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    facts = json.loads(done.stdout.splitlines()[-1])
    speed = size / 2**20 / facts["seconds"] / facts["cores"]
    return {"mebibytes": size / 2**20, "mib_per_second_core": speed, **facts}


def _texts(data: Path) -> Iterator[str]:
    """Web pages, encyclopedia and books, over and over, changed a little each time."""
    rows: list[str] = []
    for path in (data / "text_web_c4" / "c4_demo.jsonl.gz", *(data / "text_wiki_en").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            if ".jsonl" in path.name:
                rows += [json.loads(line)["text"] for line in lines]
                continue
            written = [line for line in lines if not line.isspace()]
            rows += ["".join(written[i : i + _LINES]) for i in range(0, len(written), _LINES)]
    draw = random.Random(0)
    yield from rows
    while True:
        for text in rows:
            words = text.split(" ")
            for i in draw.sample(range(len(words)), int(_NOISE * len(words))):
                words[i] = draw.choice(words)
            yield " ".join(words)


def _write(data: Path, path: Path, size: int) -> int:
    """JSON Lines of about `size` bytes of text; returns the bytes of text."""
    done = 0
    with path.open("w", encoding="utf-8") as out:
        for i, text in enumerate(_texts(data)):
            out.write(json.dumps({"id": str(i), "text": text}, ensure_ascii=False) + "\n")
            done += len(text.encode("utf-8"))
            if done >= size:
                break
    return done


def _ours(source: Path, overrides: tuple[str, ...] = ("near_mode=ignore",)) -> dict[str, Any]:
    from hornbook.core.progress import Progress
    from hornbook.corpus.build import build
    from hornbook.corpus.recipe import recipe_of

    recipe = recipe_of("web", ["pii=[]", *overrides])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        corpus = build([source], Path(folder) / "corpus", recipe, Progress(quiet=True))
        seconds = time.perf_counter() - started
    for worker in multiprocessing.active_children():  # what they took is told when they have ended
        worker.join(60)
    return {
        "seconds": seconds,
        "cores": len(processors()),
        "documents": corpus.facts["documents"],
        "peak_bytes": _peak(),
    }


def _near(source: Path) -> dict[str, Any]:
    return _ours(source, ("near_mode=drop",))


def _peer(source: Path) -> dict[str, Any]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    with tempfile.TemporaryDirectory() as folder:
        steps = [
            JsonlReader(str(source.parent), glob_pattern=source.name),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            JsonlWriter(f"{folder}/out"),
        ]
        executor = LocalPipelineExecutor(steps, tasks=1, logging_dir=f"{folder}/logs")
        started = time.perf_counter()
        executor.run()
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "cores": 1, "peak_bytes": _peak()}


def _peak() -> int:
    """Of this process and of as many workers as there are processors, each at its own peak."""
    own, workers = (
        resource.getrusage(who).ru_maxrss * 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own + len(processors()) * workers


_WORK = {"ours": _ours, "near": _near, "peer": _peer}


if __name__ == "__main__":
    main()
