"""How well do bodies and methods label texts in equal minutes? Peers are in `hornbook compare`.

Run as `python -m benchmarks.classifiers --data spam_sms --minutes 4` with HORNBOOK_DATA set and
`hornbook pull` done for the two pulled models. Copies of texts are left out. Of five folds decided
by contents the first is tested on, or as many as --folds says; a tenth of the others validates.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import report
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import LabelledText, folds, read_labelled, split, without_copies
from hornbook.evaluate.classification import classification_scores
from hornbook.evaluate.results import plain
from hornbook.workflows.open.classifier import open_classifier
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.projects.labels.request import LabelsRecipe
from hornbook.workflows.runs.run import run

FILES = {
    "spam_sms": "spam_sms/SMSSpamCollection.tsv",
    "sentiment_rt": "sentiment_rt/rt_polarity.jsonl.gz",
    "sentiment_imdb": "sentiment_imdb/train.jsonl.gz",
    "news_bbc": "news_bbc/bbc.jsonl.gz",
}
MINILM, SMOLLM = "all-minilm-l6-v2", "smollm2-135m-instruct"
RUNGS = (
    "lstm full", "bert full", "conv full", "gpt full", f"{MINILM} head", f"{MINILM} lora",
    f"{MINILM} last:2", f"{MINILM} full", f"{SMOLLM} head", f"{SMOLLM} lora",
)  # fmt: skip
_FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=sorted(FILES), default="spam_sms")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training, for each")
    parser.add_argument("--folds", type=int, default=1, help="of five, tested on one by one")
    parser.add_argument("--only", action="append", help="BODY METHOD, as in 'lstm full'")
    arguments = parser.parse_args()
    if "HORNBOOK_DATA" not in os.environ:
        parser.error("HORNBOOK_DATA must name the folder with the data.")
    path = Path(os.environ["HORNBOOK_DATA"]) / FILES[arguments.data]
    rows, copies = without_copies(read_labelled(path).rows)
    ours = {
        rung: _measured(rung, rows, arguments.folds, arguments.minutes)
        for rung in arguments.only or RUNGS
    }
    report(
        ours=ours,
        peers={},
        ratio=None,
        data=arguments.data,
        minutes=arguments.minutes,
        texts=len(rows),
        copies=copies,
        folds=arguments.folds,
    )


def _measured(rung: str, rows: list[LabelledText], count: int, minutes: float) -> dict[str, Any]:
    """Scores over all texts of the folds that were tested on, and what the training came to."""
    name, method = rung.rsplit(" ", 1)
    places, found, truth, facts = folds(rows, _FOLDS), [], [], []
    labels: list[str] = []
    for fold in range(count):
        rest = [row for row, place in zip(rows, places, strict=True) if place != fold]
        test = [row for row, place in zip(rows, places, strict=True) if place == fold]
        project = Labels(LabelledSplits(*split(rest, 0.1, seed=1), test), name)
        request = project.request({"method": method, "minutes": minutes, "device": "cpu"})
        with tempfile.TemporaryDirectory() as folder:
            result = run(project, Path(folder) / "run", request, progress=Progress())
            recipe = LabelsRecipe.load(Path(folder) / "run")
            classifier = open_classifier(Path(folder) / "run", "cpu")
            found.append(classifier.probabilities([row.text for row in test]))
        labels = result["labels"]
        truth += [labels.index(row.label) for row in test]
        facts.append(
            {
                "seconds": round(result["seconds"], 1),
                "passes": round(result["epochs"], 2),
                "calibration": result["calibration"],
                "parameters": result["parameters"],
                "dtype": recipe.loop.dtype,
                "peak_bytes": peak_memory_bytes(),
            }
        )
    scores = classification_scores(np.concatenate(found), np.array(truth), labels)
    Progress().say(f"{rung}: {scores['accuracy'].value:.2%}, {facts}")
    return {"scores": plain(scores), "tested": len(truth), "trainings": facts}


if __name__ == "__main__":
    main()
