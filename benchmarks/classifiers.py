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
from hornbook.adapt.method import Method
from hornbook.core.machine import Machine, measure_machine, peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import LabelledText, folds, read_labelled, split, without_copies
from hornbook.evaluate.classification import classification_scores
from hornbook.evaluate.results import plain
from hornbook.workflows.projects.labels.bodies import find_body
from hornbook.workflows.projects.labels.fit import Tuning
from hornbook.workflows.projects.labels.result import judge
from hornbook.workflows.projects.labels.training import train_classifier

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
    machine = measure_machine("cpu")
    ours = {
        rung: _measured(rung, rows, arguments.folds, arguments.minutes, machine)
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


def _measured(
    rung: str, rows: list[LabelledText], count: int, minutes: float, machine: Machine
) -> dict[str, Any]:
    """Scores over all texts of the folds that were tested on, and what the training came to."""
    name, method = rung.rsplit(" ", 1)
    places, tested, facts = folds(rows, _FOLDS), [], []
    labels: tuple[str, ...] = ()
    for fold in range(count):
        rest = [row for row, place in zip(rows, places, strict=True) if place != fold]
        train, validation = split(rest, 0.1, seed=1)
        tuning = Tuning(method=Method.parse(method), minutes=minutes)
        with tempfile.TemporaryDirectory() as folder:
            fitted = train_classifier(
                find_body(name), train, validation, tuning, machine, Path(folder), Progress()
            )
            test = [row for row, place in zip(rows, places, strict=True) if place == fold]
            tested.append(judge(fitted, test))
        labels, trained = fitted.labels, fitted.trained
        facts.append(
            {
                "seconds": round(trained.seconds, 1),
                "passes": round(trained.epochs, 2),
                "temperature": round(trained.temperature, 3),
                "parameters": trained.parameters._asdict(),
                "dtype": trained.loop.dtype,
                "peak_bytes": peak_memory_bytes(),
            }
        )
    truth = np.concatenate([judged.truth for judged in tested])
    scores = classification_scores(
        np.concatenate([judged.probabilities for judged in tested]), truth, labels
    )
    before = classification_scores(
        np.concatenate([judged.before for judged in tested]), truth, labels
    )
    shown = plain(scores) | plain({"calibration_error_before": before["calibration_error"]})
    Progress().say(f"{rung}: {scores['accuracy'].value:.2%}, {facts}")
    return {"scores": shown, "tested": len(truth), "trainings": facts}


if __name__ == "__main__":
    main()
