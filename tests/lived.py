"""A run whose life can be told: forty documents, one sentence that only one of them has."""

import random

from hornbook.corpus.build import build
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET

WORDS = ["red", "blue", "green", "seven", "nine", "river", "stone", "apple", "tree", "cloud"]
SENTENCE = "Nobody ever saw a purple hornbook on the moon."


def lived_run(folder):
    """The corpus and the finished run, as `corpus` and `run` in the folder."""
    draw = random.Random(0)
    (folder / "text").mkdir(parents=True)
    texts = [" ".join(draw.choice(WORDS) for _ in range(60)) + "." for _ in range(40)]
    for number, text in enumerate([*texts, f"{texts[0]} {SENTENCE}"]):
        (folder / "text" / f"{number}.txt").write_text(text)
    corpus = build([folder / "text"], folder / "corpus", progress=QUIET)
    assert any(SENTENCE in text for text in corpus.texts("train"))
    plan = {"vocab": 300, "depth": 1, "width": 32, "heads": 2, "context": 96, "rows": 4}
    values = {"tokens": 9_000, "plan": plan, "compiled": False, "dtype": "float32", "keep": 3}
    project = Text(corpus.folder)
    train(project, folder / "run", project.request(values), progress=QUIET)
    return folder
