"""Instructions with answers that claims learn from: a set's, or made by program."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.files import write_text
from hornbook.corpus.corpus import Corpus
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.projects.answers.data import read_rows

_JUDGED, _MADE = 240, 20_000
_WORDS = 600
"""Of a text, the most frequent, of which instructions are made."""


class Instruction(NamedTuple):
    """What is asked, and its answer."""

    asked: str
    answer: str


class DrawnInstructions(NamedTuple):
    """learned, held_out: files of rows. judged: what the latter holds."""

    learned: Path
    held_out: Path
    judged: list[Instruction]


FORMS: tuple[Callable[[str, str], Instruction], ...] = (
    lambda one, two: Instruction(f'Write "{one}" twice.', f"{one} {one}"),
    lambda one, two: Instruction(f'Write "{one}" in capital letters.', one.upper()),
    lambda one, two: Instruction(f'Write "{two}" before "{one}".', f"{two} {one}"),
    lambda one, two: Instruction(
        f'Which word is longer, "{one}" or "{two}"?', max(one, two, key=len)
    ),
    lambda one, two: Instruction(f'What is the first letter of "{one}"?', one[0]),
    lambda one, two: Instruction(f'Answer with "{one}" and not with "{two}".', one),
)
"""Of two words each."""


def draw_instructions(lab: Lab, count: int, seed: int) -> DrawnInstructions:
    """At most so many rows to learn from, and others that are judged, drawn by a seed."""
    file = lab.other("instructions")
    found = list(_read(file)) if file else made(lab.text("general"), _MADE, seed)
    found = list(dict.fromkeys(found))
    order = np.random.default_rng(seed).permutation(len(found)).tolist()
    size = min(_JUDGED, len(found) // 4)
    sides = {"held-out": order[:size], "learned": order[size : size + count]}
    folder, files = lab.folder / "texts", {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, places in sides.items():
        files[name] = folder / f"instructions-{name}-{count}-{seed}.jsonl"
        rows = ({"instruction": found[i].asked, "output": found[i].answer} for i in places)
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        write_text(files[name], "\n".join(lines) + "\n")
    return DrawnInstructions(
        files["learned"], files["held-out"], [found[i] for i in sides["held-out"]]
    )


def made(text: Corpus, count: int, seed: int) -> list[Instruction]:
    """Instructions about words of a text."""
    draw, words = np.random.default_rng(seed), frequent_words(text, _WORDS)
    pairs = draw.integers(len(words), size=(count, 2))
    forms = draw.integers(len(FORMS), size=count)
    return [
        FORMS[form](words[one], words[two])
        for form, (one, two) in zip(forms.tolist(), pairs.tolist(), strict=True)
        if len(words[one]) != len(words[two])
    ]


def frequent_words(text: Corpus, count: int) -> list[str]:
    """The most frequent words of small letters in the training part of a text."""
    counts: Counter[str] = Counter()
    for document in text.texts("train"):
        counts.update(re.findall(r"\b[a-z]{4,9}\b", document))
    return [word for word, _ in counts.most_common(count)]


def _read(file: Path) -> Iterator[Instruction]:
    """Conversations of one question and one answer."""
    for sample in read_rows("instruct", [file]).samples:
        if len(sample.messages) == 2:
            asked, answer = (message["content"] for message in sample.messages)
            if answer.strip():
                yield Instruction(asked, answer)
