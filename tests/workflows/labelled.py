"""Small classifiers of texts whose label is the kind of words in them, and runs that make them."""

from typing import Any, NamedTuple

import numpy as np

from hornbook.adapt.method import Method
from hornbook.datasets.labelled import LabelledText
from hornbook.models.text_classifier import TextClassifier
from hornbook.training.optimiser import OptimiserConfig
from hornbook.workflows.open.classifier import Classifier
from hornbook.workflows.open.load import load
from hornbook.workflows.projects.labels import project as labels_project
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.runs import run
from tests.tables import jsonl, write
from tests.tiny import QUIET

GOOD, BAD = ["sun", "joy", "calm", "gift", "bright"], ["rain", "grief", "storm", "debt", "dull"]
FAST = OptimiserConfig(
    matrix_rule="adamw", matrix_rate=0.01, embedding_rate=0.01, head_rate=0.02, scalar_rate=0.01
)


def texts(count, seed=0, share=0.5):
    """Words of one kind among many that say nothing; the label is the kind."""
    draw = np.random.default_rng(seed)
    for i in range(count):
        good = bool(draw.random() < share)
        words = [*draw.choice(["the", "a", "of", "it"], 3), *draw.choice(GOOD if good else BAD, 2)]
        yield LabelledText(
            str(i), f"{' '.join(draw.permutation(words))} {i}", "ja" if good else "nein"
        )


ROWS, HELD, TEST = list(texts(160)), list(texts(40, 1)), list(texts(60, 2))


class Fitted(NamedTuple):
    result: dict[str, Any]
    classifier: TextClassifier

    def probabilities(self, rows):
        return self.classifier.probabilities([row.text for row in rows])

    def raw(self, rows):
        """The logits before calibration."""
        read = self.classifier.read([row.text for row in rows])
        temperature = self.result["calibration"]["temperature"]
        return temperature * self.classifier.logits(read.sequences)


def fitted(place, folder, train=ROWS, held=HELD, rows=16, **values):
    """A run on texts that are split already."""
    values = {"epochs": 4, "optimiser": FAST.plain(), "plan": {"rows": rows}, **values}
    project = Labels(LabelledSplits(train, held), place)
    result = run.run(project, folder, project.request(values), progress=QUIET)
    return Fitted(result, load(folder, Classifier, device="cpu").model)


def right(found, rows=TEST):
    guesses = found.probabilities(rows).argmax(1)
    labels = found.result["labels"]
    return np.mean([labels[g] == row.label for g, row in zip(guesses, rows, strict=True)])


def tuned(bodies, tmp_path, body="encoder", rows=None, data=None, **values):
    """A run on a file."""
    if data is None:
        found = rows or [*ROWS, *TEST, ROWS[0]]
        data = write(tmp_path, "rows.jsonl", jsonl({**row._asdict(), "note": "x"} for row in found))
    project = Labels(data, body if body == "lstm" else bodies / body)
    values = {"epochs": 3, "dtype": "float32", "device": "cpu", **values}
    return run.run(project, tmp_path / "run", project.request(values), progress=QUIET)


def use_fast_rates(monkeypatch):
    rates = labels_project.rates_of(Method.parse("full"), False, 16)._replace(optimiser=FAST)
    monkeypatch.setattr(labels_project, "rates_of", lambda *_: rates)
