"""The rungs of a comparison: every way to classify texts that there is here, by one call each.

A rung is climbed in a process of its own, so that its peak of memory is its own.
"""

import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from hornbook.baselines.linear_classifier import CLASSIFIERS, make
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError, unknown
from hornbook.core.isolation import spawn_context
from hornbook.datasets.labelled import LabelledText, classes_of

if TYPE_CHECKING:
    from hornbook.evaluate.kinds.classify import ClassifyTask

Kind = Literal["linear", "fresh", "tuned", "prompted"]
FRESH = ("lstm", "conv", "bert", "gpt")
METHODS = ("head", "last:2", "lora", "full")
SHOTS = (0, 4)
_LATENCIES = 20
_CHUNK, _CHUNK_READ = 16, 128
"""Texts that a model is asked about between looks at the clock: prompted, and read as a whole."""
_LEAST_STEPS: dict[Kind, int] = {"fresh": 40, "tuned": 20}
"""Fewer teach a model nothing worth a row: what begins afresh was at 54 to 61 % after some twenty,
and at 61 to 72 % after 40 to 180, where half of the texts are of either class (docs/log.md)."""
_LEAST_PASSES = 2
"""Over all texts, before which a model that still takes every text for one class had no time."""
_WARMING, _PART = 24, 16
"""A linear rung's time is foretold by some two dozen texts, and then by a part of all."""


class Rung(NamedTuple):
    """name: for tables. what: the baseline, preset or model. method: how a model is tuned. shots:
    examples in a prompt.
    """

    name: str
    kind: Kind
    what: str
    method: str = "full"
    shots: int = 0

    @property
    def trained(self) -> bool:
        """Whether minutes decide how good it becomes."""
        return self.kind in ("fresh", "tuned")


class Job(NamedTuple):
    """What a rung is given. minutes: for all of it, from a new process to the last answer. words:
    what stands for each label in a prompt. began: when they began (time.monotonic), now if None.
    folder: where what is trained lies until it has answered; that of temporary files if None.
    """

    rung: Rung
    train: list[LabelledText]
    validation: list[LabelledText]
    texts: list[str]
    minutes: float
    seed: int
    words: dict[str, str]
    began: float | None = None
    folder: Path | None = None


class Climbed(NamedTuple):
    """probabilities: (N, L) float64 by the sorted labels; rows of nan for texts that time did not
    suffice for. seconds: of training. latency: seconds for one text alone, the median. peak_bytes:
    of the process. model_bytes: of the parameters. facts: what the rung itself says.
    """

    probabilities: np.ndarray
    seconds: float
    latency: float
    peak_bytes: int
    model_bytes: int
    facts: dict[str, Any]


def ladder_of(models: Sequence[Path]) -> list[Rung]:
    """The whole ladder, from the cheapest: baselines, models from scratch, then each of `models`
    tuned by every method, and prompted if it is a decoder.

    Raises UsageError for a model that is not there or is no backbone for a classifier.
    """
    rungs = [Rung(name, "linear", name) for name in CLASSIFIERS]
    rungs += [Rung(name, "fresh", name) for name in FRESH]
    if models:
        from hornbook.workflows.projects.labels.backbones import find_backbone

        for model in models:
            find_backbone(str(model))
    for model, method in itertools.product(models, METHODS):
        rungs.append(Rung(f"{model.name} {method}", "tuned", str(model), method))
    for model, shots in itertools.product(filter(_is_decoder, models), SHOTS):
        how = "zero-shot" if shots == 0 else f"{shots}-shot"
        rungs.append(Rung(f"{model.name} {how}", "prompted", str(model), shots=shots))
    return rungs


def _is_decoder(model: Path) -> bool:
    from hornbook.models.causal_lm import CausalLMConfig
    from hornbook.models.folder import load_config

    return isinstance(load_config(model), CausalLMConfig)


def choose_rungs(rungs: Sequence[Rung], names: Sequence[str]) -> list[Rung]:
    """Those of these names, in the ladder's order. Raises UsageError for one that is not there."""
    known = {rung.name: rung for rung in rungs}
    for name in names:
        if name not in known:
            raise unknown("rung", name, known)
    return [rung for rung in rungs if rung.name in names]


def climb(job: Job) -> Climbed | str:
    """Train and ask in a process of its own; the message of an error that is the rung's alone."""
    with ProcessPoolExecutor(1, mp_context=spawn_context()) as pool:
        try:
            return pool.submit(_climb, job).result()
        except HornbookError as error:
            return str(error)


def _climb(job: Job) -> Climbed:
    clock = Clock.start(job.minutes, job.began)
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        predict, seconds, size, facts = _WAYS[job.rung.kind](job, clock, Path(folder))
        found = _answers(predict, job, clock)
        latency = _latency(predict, job.texts)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Climbed(found, seconds, latency, peak, size, facts)


Predict = Callable[[Sequence[str]], np.ndarray]
Made = tuple[Predict, float, int, dict[str, Any]]
"""What predicts, seconds of training, bytes of parameters, facts."""


def _linear(job: Job, clock: Clock, folder: Path) -> Made:
    rows = [*job.train, *job.validation]  # it finds its strength by folds of its own
    _check_time(job, rows, clock)
    started = time.perf_counter()
    classifier = make(job.rung.what)
    classifier.fit([row.text for row in rows], [row.label for row in rows], job.seed)
    seconds = time.perf_counter() - started
    classifier.save(folder / "model")
    size = sum(file.stat().st_size for file in (folder / "model").rglob("*") if file.is_file())
    top = {label: [w._asdict() for w in ws] for label, ws in classifier.explain(10).items()}
    return classifier.probabilities, seconds, size, {"weights": top}


def _check_time(job: Job, rows: Sequence[LabelledText], clock: Clock) -> None:
    """Raises HornbookError where a part of the texts shows that all take more than the time."""
    took = 0.0
    for every in (len(rows) // _WARMING + 1, _PART):  # libraries are loaded in the first
        part = rows[::every]
        if len(classes_of(row.label for row in part)) < 2:
            return
        started = time.perf_counter()
        make(job.rung.what).fit([r.text for r in part], [r.label for r in part], job.seed)
        took = time.perf_counter() - started
    expected, left = took * len(rows) / len(part), clock.left_s()
    if expected > left:
        raise HornbookError(
            f"left out, as it needs about {expected:,.0f} s, and {left:,.0f} s are left"
        )


def _neural(job: Job, clock: Clock, folder: Path) -> Made:
    """A run in a folder of its own, with the life of any run; what is kept of it is its figures."""
    from hornbook.core.progress import Progress
    from hornbook.workflows.open.classifier import open_classifier
    from hornbook.workflows.projects.labels.data import LabelledSplits
    from hornbook.workflows.projects.labels.project import Labels
    from hornbook.workflows.runs.run import run

    project = Labels(LabelledSplits(job.train, job.validation), job.rung.what)
    request = project.request(
        {
            "method": job.rung.method,
            "minutes": job.minutes,
            "seed": job.seed,
            "device": "cpu",
            "answering": len(job.texts) + _LATENCIES + 1,
            "least_steps": _LEAST_STEPS[job.rung.kind],
        }
    )
    quiet = Progress(quiet=True)
    result = run(project, folder / "run", request, progress=quiet, clock=clock)
    seconds = clock.used_s()
    _check_learned(result)
    names = ("steps", "epochs", "parameters", "ended", "threads")
    facts = {name: result[name] for name in names}
    facts["temperature"] = result["calibration"]["temperature"]
    classifier = open_classifier(folder / "run", "cpu")
    return classifier.probabilities, seconds, result["model_bytes"], facts


def _check_learned(result: dict[str, Any]) -> None:
    """Raises HornbookError for a model that time ended before it told any two texts apart."""
    checked, passes = result["validation"], result["epochs"]
    if checked["guessed"] == 1 < checked["there"] and passes < _LEAST_PASSES:
        raise HornbookError(
            f"left out, as it took every text for one class after {result['steps']:,} steps, "
            f"{passes:.2f} passes: there was too little time"
        )


def label_task(labels: Sequence[str], words: Mapping[str, str]) -> "ClassifyTask":
    """Which label is likeliest after a text, as a decoder is asked. words: that stand for labels,
    which stand for themselves otherwise."""
    from hornbook.evaluate.kinds.classify import ClassifyTask

    said = {label: f" {words.get(label, label)}" for label in labels}
    options = ", ".join(word.strip() for word in said.values())
    return ClassifyTask(
        content="{{ text }}",
        system=f"Say what each text is: {options}.",
        prompt="Text: {{ text }}\nIt is:",
        labels=said,
        answer="{{ label }}",
        cut="text",
        calibrate_prior=True,
    )


def _prompted(job: Job, clock: Clock, folder: Path) -> Made:
    from hornbook.evaluate.evaluated_model import EvaluatedModel
    from hornbook.evaluate.prompts import draw_shots
    from hornbook.evaluate.task import Item
    from hornbook.workflows.open.model import open_model

    labels = classes_of(row.label for row in job.train)
    task = label_task(labels, job.words)
    subject = EvaluatedModel(*open_model(Path(job.rung.what), "cpu"))
    pool = [
        Item(i, {"text": row.text, "label": row.label}, row.text) for i, row in enumerate(job.train)
    ]
    shots = [item.row for item in draw_shots(task, pool, job.rung.shots, job.seed)]

    def predict(texts: Sequence[str]) -> np.ndarray:
        items = [Item(i, {"text": text, "label": labels[0]}, text) for i, text in enumerate(texts)]
        found = task.measure(subject, items, shots)
        return np.array([[one.found["probabilities"][k] for k in labels] for one in found])

    size = sum(p.numel() * p.element_size() for p in subject.model.parameters())
    return predict, 0.0, size, {"shots": len(shots), "label_words": task.labels}


_WAYS: dict[Kind, Callable[[Job, Clock, Path], Made]] = {
    "linear": _linear,
    "fresh": _neural,
    "tuned": _neural,
    "prompted": _prompted,
}


def _answers(predict: Predict, job: Job, clock: Clock) -> np.ndarray:
    """(N, L) for all texts, or for as many as there is time for; the others are nan."""
    if job.rung.kind == "linear":
        return predict(job.texts)
    # In an order of its own: a file often has one label after the other, and the first texts alone
    # would be of one label.
    order = np.random.default_rng(job.seed).permutation(len(job.texts)).tolist()
    size = _CHUNK if job.rung.kind == "prompted" else _CHUNK_READ
    found: np.ndarray | None = None
    for start in range(0, len(order), size):
        if start and clock.left_s() < 0:
            break
        part = order[start : start + size]
        answers = predict([job.texts[i] for i in part])
        if found is None:
            found = np.full((len(order), answers.shape[1]), np.nan)
        found[part] = answers
    assert found is not None, "there are texts to be judged"
    return found


def _latency(predict: Predict, texts: Sequence[str]) -> float:
    """Seconds for one text alone, the median over some; the first call warms up."""
    found = []
    for text in _spread(texts, _LATENCIES + 1):
        started = time.perf_counter()
        predict([text])
        found.append(time.perf_counter() - started)
    return median(found[1:] or found)


def _spread(texts: Sequence[str], count: int) -> Iterable[str]:
    places = np.linspace(0, len(texts) - 1, min(count, len(texts))).astype(int)
    return [texts[i] for i in places]
