"""Translators that claims compare, by the length of what they translate: real pairs, or rows of
words and the same rows backwards."""

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.files import write_text
from hornbook.core.lines import lines_of
from hornbook.datasets.pairs import Pair, read_pairs
from hornbook.evaluate.bleu import bleu_by_length, sentence_bleu
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.projects.pairs.project import Pairs
from hornbook.workflows.runs import folder as layout

_SIDES = ("de", "en")
_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
"""Of a set of translations: a file of each language, line by line."""
_MOST = {"train": 30_000, "validation": 200, "test": 240}
"""Pairs of each part."""
WORDS = [f"{one}{other}" for one, other in product("bdfgklmnprstvz", "aeiou")][:64]
"""Of texts that are made of words drawn at random."""
_LONGEST = 16
"""Words of a row that is made."""
_PLAN = {"vocab": 2047, "depth": 1, "width": 128, "heads": 2, "tokens": 2048, "dropout": 0.0}
_STEPS = 400
"""Of each training at scale 1."""


class Translated(NamedTuple):
    """by_length: BLEU of sentences of up to so many words, by that number. single: (N,) BLEU of
    each sentence; words: (N,) its words."""

    by_length: dict[int, float]
    single: np.ndarray
    words: np.ndarray


def translated(lab: Lab, family: str, seed: int) -> Translated:
    """What a translator of a family, trained now, makes of the test sentences."""
    files = _files(lab)
    run = lab.train(
        f"{family}-pairs",
        seed,
        Pairs(files["train"], files["validation"], files["test"]),
        family=family,
        steps=lab.scaled(_STEPS),
        plan=_PLAN,
        beams=1,
    )
    lines = lines_of((run / layout.OUTPUTS).read_text("utf-8"))
    rows = [json.loads(line) for line in lines]
    sources, outputs, targets = ([row[key] for row in rows] for key in ("source", "text", "target"))
    parts = bleu_by_length(sources, outputs, targets)
    return Translated(
        {part.most: part.bleu for part in parts},
        np.array(sentence_bleu(outputs, targets)),
        np.array([len(source.split()) for source in sources]),
    )


def _files(lab: Lab) -> dict[str, Path]:
    """Tables of the pairs of each part."""
    folder, found = lab.other("translations"), {}
    for part, most in _MOST.items():
        place = found[part] = lab.folder / "texts" / f"pairs-{part}.jsonl"
        if not place.is_file():
            pairs = _read(folder, part)[:most] if folder else _made(part, most)
            rows = (json.dumps(pair._asdict(), ensure_ascii=False) for pair in pairs)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, "\n".join(rows) + "\n")
    return found


def _read(folder: Path, part: str) -> list[Pair]:
    files = [folder / f"{_FILES[part]}.{side}.gz" for side in _SIDES]
    return [pair for pair in read_pairs(files) if isinstance(pair, Pair)]


def _made(part: str, count: int) -> list[Pair]:
    """Words drawn at random, and the same from the last to the first."""
    random = np.random.default_rng(list(_MOST).index(part))
    rows = [random.choice(WORDS, size).tolist() for size in random.integers(2, _LONGEST + 1, count)]
    return [Pair(" ".join(row), " ".join(row[::-1])) for row in rows]
