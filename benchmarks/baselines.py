"""Text classifiers that train in seconds, on real data: what any neural model must beat.

Run as `taskset -c 1 python -m benchmarks.baselines` with HORNBOOK_DATA set. Each data set has its
copies dropped; where it has no official split, each row is tested once in 5 folds. Everything a
classifier tunes, it tunes inside its training rows. The peer is scikit-learn as its own tutorial
uses it: TF-IDF of words and a linear support vector machine, all defaults. The ratio is our
mistakes for each of the peer's, by `handmade_tfidf`, the geometric mean over the tasks.
"""

import argparse
import gzip
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import report
from hornbook.baselines.linear_classifier import CLASSIFIERS, LinearClassifier, make
from hornbook.core.stats import Estimate, wilson
from hornbook.datasets.labelled import (
    LabelledText,
    classes_of,
    folds,
    read_labelled,
    without_copies,
)
from hornbook.evaluate.classification import (
    class_scores,
    classification_scores,
    confusion,
    paired,
    smallest_difference,
)
from hornbook.read.documents import content_hash

_FOLDS = 5
_OURS = "handmade_tfidf"
_POETS = 10
"""The poets with the most poems, each told by the text alone."""


class Task(NamedTuple):
    """rows: without copies. fold: in which each is tested; -1 = never, it is for training."""

    rows: list[LabelledText]
    fold: np.ndarray
    about: dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("HORNBOOK_DATA"))
    parser.add_argument("--only", choices=TASKS, nargs="*", default=list(TASKS))
    parser.add_argument("--classifiers", choices=CLASSIFIERS, nargs="*", default=list(CLASSIFIERS))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("HORNBOOK_DATA, or --data, must name the folder of the data sets.")
    ours, peers = {}, {}
    for name in arguments.only:
        task = TASKS[name](Path(arguments.data))
        ours[name] = _measured(task, arguments.classifiers)
        peers[name] = _peer(task)
    errors = [
        (1 - found[_OURS]["accuracy"]["value"]) / (1 - peers[name]["accuracy"]["value"])
        for name, found in ours.items()
        if _OURS in found
    ]
    report(ours, peers, float(np.exp(np.log(errors).mean())) if errors else None)


def _folded(path: Path, text_column: str | None = None, label_column: str | None = None) -> Task:
    data = read_labelled(path, text_column, label_column)
    rows, dropped = without_copies(data.rows)
    about = {"rows": len(data.rows), "copies_dropped": dropped}
    return Task(rows, np.array(folds(rows, _FOLDS)), about)


def _spam(data: Path) -> Task:
    return _folded(data / "spam_sms" / "SMSSpamCollection.tsv")


def _spam_templates(data: Path) -> Task:
    """As `spam_sms`, but messages that differ in digits, case and signs only are copies, too."""
    task = _spam(data)
    shapes = [row._replace(text=re.sub(r"[\d\W_]+", " ", row.text.lower())) for row in task.rows]
    first = {content_hash(row.text): place for place, row in reversed(list(enumerate(shapes)))}
    rows = [task.rows[place] for place in sorted(first.values())]
    about = {"rows": task.about["rows"], "copies_dropped": task.about["rows"] - len(rows)}
    return Task(rows, np.array(folds(rows, _FOLDS)), about)


def _rt(data: Path) -> Task:
    return _folded(data / "sentiment_rt" / "rt_polarity.jsonl.gz")


def _imdb(data: Path) -> Task:
    """The official split; test texts that are in training, too, are marked."""
    train = read_labelled(data / "sentiment_imdb" / "train.jsonl.gz").rows
    test = read_labelled(data / "sentiment_imdb" / "test.jsonl.gz").rows
    train, dropped = without_copies(train)
    known = {content_hash(row.text) for row in train}
    leaked = [content_hash(row.text) in known for row in test]
    fold = np.array([-1] * len(train) + [0] * len(test))
    about = {"rows": len(train) + len(test) + dropped, "copies_dropped": dropped, "leaked": leaked}
    return Task(train + test, fold, about)


def _bbc(data: Path) -> Task:
    return _folded(data / "news_bbc" / "bbc.jsonl.gz")


def _poets(data: Path) -> Task:
    """Who wrote a poem of the Tang, in Chinese."""
    rows = []
    with gzip.open(data / "text_poetry_zh" / "tang.jsonl.gz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            poem = json.loads(line)
            rows.append(LabelledText(str(number), poem["text"], poem["author"]))
    counts = {author: sum(row.label == author for row in rows) for author in {*_names(rows)}}
    kept = sorted(counts, key=lambda author: (-counts[author], author))[:_POETS]
    chosen = [row for row in rows if row.label in kept]
    unique, dropped = without_copies(chosen)
    about = {"rows": len(chosen), "copies_dropped": dropped, "poets": kept}
    return Task(unique, np.array(folds(unique, _FOLDS)), about)


def _names(rows: Sequence[LabelledText]) -> Iterator[str]:
    return (row.label for row in rows)


TASKS: dict[str, Callable[[Path], Task]] = {
    "spam_sms": _spam,
    "spam_sms_templates": _spam_templates,
    "sentiment_rt": _rt,
    "sentiment_imdb": _imdb,
    "news_bbc": _bbc,
    "poets_zh": _poets,
}


def _measured(task: Task, names: Sequence[str]) -> dict[str, Any]:
    leaked = np.array(task.about.pop("leaked", []), bool)
    tested = np.flatnonzero(task.fold >= 0)
    labels = classes_of(row.label for row in task.rows)
    truth = np.array([labels.index(task.rows[i].label) for i in tested])
    shares: dict[str, np.ndarray] = {}
    found: dict[str, Any] = {**task.about, "tested": len(tested), "classes": len(labels)}
    for name in names:
        shares[name], costs = _run(task, labels, name)
        found[name] = {**_scores(shares[name][tested], truth, labels), **costs}
        if leaked.any():
            clean = _scores(shares[name][tested[~leaked]], truth[~leaked], labels)
            found[name]["without_leaked"] = {"n": int((~leaked).sum()), **clean}
    if leaked.any():
        found["leaked"] = int(leaked.sum())
    best = max(shares, key=lambda name: found[name]["accuracy"]["value"])
    found["best"] = best
    found["smallest_difference_shown"] = smallest_difference(
        len(tested), found[best]["accuracy"]["value"]
    )
    found["best_against"] = {
        name: _pair(shares[best][tested], shares[name][tested], truth)
        for name in shares
        if name != best
    }
    return found


def _run(task: Task, labels: list[str], name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """(rows, L) probabilities where a row was tested, and what that took on the mean."""
    shares = np.zeros((len(task.rows), len(labels)))
    training, using, features = [], [], []
    model: LinearClassifier | None = None
    for fold in sorted(set(task.fold) - {-1}):
        train, test = np.flatnonzero(task.fold != fold), np.flatnonzero(task.fold == fold)
        start = time.perf_counter()
        model = make(name).fit(*_columns(task.rows, train))
        trained = time.perf_counter()
        assert model.labels == labels
        shares[test] = model.probabilities(_columns(task.rows, test)[0])
        training.append(trained - start)
        using.append((time.perf_counter() - trained) / len(test))
        features.append(len(model.features))
    assert model is not None
    return shares, {
        "training_seconds": round(float(np.mean(training)), 2),
        "ms_per_text": round(1000 * float(np.mean(using)), 3),
        "features": int(np.mean(features)),
        "last_choice": model.choice._asdict(),
        "weights": {
            label: [[w.feature, round(w.weight, 2)] for w in weights]
            for label, weights in model.explain(8).items()
        },
    }


def _columns(rows: list[LabelledText], places: np.ndarray) -> tuple[list[str], list[str]]:
    return [rows[i].text for i in places], [rows[i].label for i in places]


def _scores(shares: np.ndarray, truth: np.ndarray, labels: list[str]) -> dict[str, Any]:
    table = confusion(shares.argmax(1), truth, len(labels))
    found: dict[str, Any] = {
        name: _plain(estimate)
        for name, estimate in classification_scores(shares, truth, labels).items()
    }
    found["confusion"] = table.tolist()
    found["classes"] = {
        label: {
            "precision": _plain(score.precision),
            "recall": _plain(score.recall),
            "f1": round(score.f1, 4),
            "items": score.items,
        }
        for label, score in class_scores(table, labels).items()
    }
    return found


def _pair(one: np.ndarray, other: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    found = paired(one, other, truth)
    return {
        "accuracy": _plain(found.accuracy),
        "log_loss": _plain(found.log_loss),
        "only_best": found.only_one,
        "only_other": found.only_other,
        "p_mid": round(found.mid, 5),
        "p_exact": round(found.exact, 5),
    }


def _peer(task: Task) -> dict[str, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    right, seconds, tested = 0, 0.0, 0
    for fold in sorted(set(task.fold) - {-1}):
        train, test = np.flatnonzero(task.fold != fold), np.flatnonzero(task.fold == fold)
        start = time.perf_counter()
        model = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(*_columns(task.rows, train))
        seconds += time.perf_counter() - start
        texts, labels = _columns(task.rows, test)
        right += sum(a == b for a, b in zip(model.predict(texts), labels, strict=True))
        tested += len(test)
    count = len(set(task.fold) - {-1})
    return {
        "name": "scikit-learn: TfidfVectorizer, LinearSVC",
        "accuracy": _plain(wilson(right, tested)),
        "training_seconds": round(seconds / count, 2),
    }


def _plain(estimate: Estimate) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in estimate._asdict().items()}


if __name__ == "__main__":
    main()
