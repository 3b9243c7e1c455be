"""Translation by greedy search and four beams, against `ctranslate2` on the same weights.

Run as `python -m benchmarks.translate --model FOLDER` with HORNBOOK_DATA set and `ctranslate2`
installed: the model of a run of `hornbook pretrain --family transformer` on Multi30k. Two threads,
float32, text to ids included, the sides by turns, medians of `--rounds`; also for how many
sentences both find the same ids.
"""

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import report
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import translate
from hornbook.models.place import resolve
from hornbook.workflows.open.load import load
from hornbook.workflows.open.translator import Translator

_THREADS, _BATCH = 2, 4096
_LONGEST = 64
"""Tokens of a target, on both sides."""
_Translate = Callable[[Sequence[str], int], list[list[int]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--language", default="de", help="the suffix of the sources")
    asked = parser.parse_args()
    torch.set_num_threads(_THREADS)
    texts = _texts(asked.language, asked.texts)
    with tempfile.TemporaryDirectory() as folder:
        sides = {"ours": _ours(asked.model), "ctranslate2": _peer(asked.model, Path(folder))}
    found = {
        name: _measured(sides, texts, beams, asked.rounds)
        for name, beams in (("greedy", 1), ("beams of 4", 4))
    }
    report(
        ours={name: rows["ours"] for name, rows in found.items()},
        peers={"ctranslate2": {name: rows["ctranslate2"] for name, rows in found.items()}},
        ratio=found["greedy"]["ratio"],
        ratio_beams=found["beams of 4"]["ratio"],
        same={name: rows["same"] for name, rows in found.items()},
        texts=len(texts),
    )


def _measured(
    sides: dict[str, _Translate], texts: Sequence[str], beams: int, rounds: int
) -> dict[str, Any]:
    """Target tokens a second of both sides, their ratio, and how many targets are the same."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    targets: dict[str, list[list[int]]] = {}
    for each in sides.values():
        each(texts[:64], beams)
    for _ in range(rounds):
        for name, each in sides.items():
            begun = time.perf_counter()
            targets[name] = each(texts, beams)
            seconds[name].append(time.perf_counter() - begun)
    rates = {
        name: sum(map(len, targets[name])) / statistics.median(seconds[name]) for name in sides
    }
    rows: dict[str, Any] = {
        name: {"tokens_per_second": rates[name], "seconds": seconds[name]} for name in sides
    }
    same = sum(a == b for a, b in zip(targets["ours"], targets["ctranslate2"], strict=True))
    return {**rows, "ratio": rates["ours"] / rates["ctranslate2"], "same": same}


def _ours(folder: Path) -> _Translate:
    opened = load(folder, Translator, device="cpu")
    model, tokenizer = opened.model, opened.tokenizer
    end = tokenizer.eos_id

    def run(texts: Sequence[str], beams: int) -> list[list[int]]:
        found = translate(model, tokenizer, texts, BeamConfig(beams=beams, max_tokens=_LONGEST))
        return [[i for i in one.token_ids if i != end] for one in found]

    return run


def _peer(folder: Path, aside: Path) -> _Translate:
    import ctranslate2
    import transformers

    place = resolve(folder)
    out = aside / "converted"
    ctranslate2.converters.TransformersConverter(str(place)).convert(str(out))
    peer = ctranslate2.Translator(str(out), device="cpu", inter_threads=1, intra_threads=_THREADS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)

    def run(texts: Sequence[str], beams: int) -> list[list[int]]:
        sources = [
            tokenizer.convert_ids_to_tokens(ids) for ids in tokenizer(list(texts))["input_ids"]
        ]
        found = peer.translate_batch(
            sources,
            beam_size=beams,
            max_batch_size=_BATCH,
            batch_type="tokens",
            max_decoding_length=_LONGEST,
        )
        return [[tokenizer.vocab[token] for token in one.hypotheses[0]] for one in found]

    return run


def _texts(language: str, count: int) -> list[str]:
    data = os.environ.get("HORNBOOK_DATA")
    if not data:
        sys.exit("HORNBOOK_DATA names no folder with mt_multi30k.")
    path = Path(data) / "mt_multi30k" / f"test_2016_flickr.{language}.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return lines.read().splitlines()[:count]


if __name__ == "__main__":
    main()
