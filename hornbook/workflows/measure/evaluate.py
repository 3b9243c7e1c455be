"""`hornbook evaluate`: a model on tasks, with intervals, baselines, and what may have leaked.

Order of work: everything that can be wrong with a task is found first, then leakage is looked for,
then the model is asked. Files that were evaluated on are held out of later corpora.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from hornbook.core.claims import Claim, place_or_name
from hornbook.core.config import Config
from hornbook.core.errors import UsageError, unknown
from hornbook.core.folders import check_place, entering
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.items import FEW, TaskItems, read_items
from hornbook.evaluate.kinds.classify import ClassifyTask
from hornbook.evaluate.leakage import Leakage, find_leaks
from hornbook.evaluate.load import LoadedTask, find_data, load_task
from hornbook.evaluate.register import register
from hornbook.evaluate.results import files_of, lines_of, plain, scores_of, write_results
from hornbook.evaluate.task import ItemResult
from hornbook.read.documents import Rejection
from hornbook.workflows.documents.evaluate import (
    RETRIEVAL,
    IndexTask,
    evaluate_retrieval,
    is_index,
)
from hornbook.workflows.documents.evaluate_answers import ANSWERS, evaluate_answers
from hornbook.workflows.open.classifier import Classifier, open_classifier
from hornbook.workflows.open.load import kind_of
from hornbook.workflows.open.model import open_to_score

INDEX_TASKS = {RETRIEVAL: evaluate_retrieval, ANSWERS: evaluate_answers}
"""What is measured of an index, by the name of the task."""
_NO_RERANK = f"--rerank goes with an index and the task {RETRIEVAL}."
_SHORTENED = {"fewer_shots": "had room for fewer shots", "cut": "were cut to fit"}


class EvaluateConfig(Config):
    """shots: examples in the prompt; what the task says if not given. limit: items of each task at
    most. seed: of shots, limit and bootstrap. corpus: what the model was trained on. data: in place
    of the task's own. overrides: key=value for the task. held_out: link the data so that later
    corpora are held against it. rerank: of an index, a model that ranks anew what it finds.
    """

    tasks: tuple[str, ...] = Field(min_length=1)
    shots: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: Path | None = None
    corpus: Path | None = None
    out: Path | None = None
    device: str | None = None
    overrides: tuple[str, ...] = ()
    rerank: str | None = None
    held_out: bool = True


class _Ready(NamedTuple):
    """A task whose items have been read and found whole. unreadable: rows that are left out."""

    loaded: LoadedTask
    data: Path
    items: TaskItems
    unreadable: int


def evaluate(
    path: Path,
    config: EvaluateConfig,
    progress: Progress,
    tell: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """The result of every task, in order: model, task, n, metrics {name: {value, low, high}},
    leakage, and more.

    tell: takes the lines of a result for people as soon as it is there; `progress` if None. Raises
    UsageError before any work for an unknown task, a field that is not there, or data that cannot
    be found; HornbookError for a model or corpus that cannot be opened.
    """
    if config.data is not None and len(config.tasks) > 1:
        raise UsageError("--data goes with one --task.")
    claim = Claim("evaluate", (place_or_name(path),))
    if config.out is not None:
        check_place(config.out, claim, whole=False)
    told = tell or progress.say
    if is_index(path):
        return _evaluate_index(path, config, claim, progress, told)
    if wrong := [name for name in config.tasks if name in INDEX_TASKS]:
        raise UsageError(
            f"{path} is no index; the task {wrong[0]} is measured on a folder that "
            "`hornbook index` made."
        )
    if config.rerank is not None:
        raise UsageError(_NO_RERANK)
    kind_of(path)  # a model that is not there is said before data are read
    ready = [_prepare(name, config, progress) for name in config.tasks]
    if config.out is not None:
        names = [name for task in ready for name in files_of(task.loaded.name)]
        with entering(config.out, claim, *names):
            return _evaluate(path, config, ready, progress, told)
    return _evaluate(path, config, ready, progress, told)


def _evaluate_index(
    path: Path,
    config: EvaluateConfig,
    claim: Claim,
    progress: Progress,
    tell: Callable[..., None],
) -> list[dict[str, Any]]:
    """An index is asked: what it finds, or answers, is judged."""
    for name in config.tasks:
        if name not in INDEX_TASKS:
            raise unknown("task for an index", name, INDEX_TASKS)
        if config.rerank is not None and name != RETRIEVAL:
            raise UsageError(_NO_RERANK)
    task = IndexTask(path, config.data, config.overrides, config.limit, config.seed, config.rerank)
    found = []
    for name in config.tasks:
        result, samples = INDEX_TASKS[name](task, progress)
        if config.out is not None:
            with entering(config.out, claim, *files_of(name)):
                write_results(config.out, result, samples)
        for line in lines_of(result):
            tell(line)
        found.append(result)
    return found


def _evaluate(
    path: Path,
    config: EvaluateConfig,
    ready: Sequence[_Ready],
    progress: Progress,
    tell: Callable[..., None],
) -> list[dict[str, Any]]:
    corpus = None if config.corpus is None else Corpus.open(config.corpus)
    subject = _open(path, config, ready, progress)
    found = []
    for task in ready:
        leaks = _leaks(task, corpus, progress)
        result, samples = _measure(subject, path, task, leaks, config)
        for key, what in _SHORTENED.items():
            if result[key]:
                progress.say(f"Warning: {task.loaded.name}: {result[key]:,} prompts {what}.")
        if config.out is not None:
            write_results(config.out, result, samples)
        for line in lines_of(result):
            tell(line)
        if config.held_out:
            _hold_out(task, progress)
        found.append(result)
    return found


def _open(
    path: Path, config: EvaluateConfig, ready: Sequence[_Ready], progress: Progress
) -> EvaluatedModel | Classifier:
    """The decoder, or the classifier where the model is one: that is told the texts as they are."""
    if kind_of(path) is not Classifier:
        return EvaluatedModel(*open_to_score(path, config.device), progress)
    for loaded, _, items, _ in ready:
        if not isinstance(loaded.task, ClassifyTask):
            raise UsageError(
                f"{path} is a classifier, and {loaded.name} is a task of kind {loaded.kind}: "
                "classifiers are measured on kind classify."
            )
        if items.shots:
            raise UsageError(f"{path} is a classifier: it reads no prompt, so no shots either.")
    return open_classifier(path, config.device)


def _prepare(name: str, config: EvaluateConfig, progress: Progress) -> _Ready:
    loaded = load_task(name, config.overrides)
    task = loaded.task
    data = find_data(loaded, task.data, config.data)
    named = task.train is not None and config.data is None
    train = find_data(loaded, task.train) if named else None
    shots = task.shots if config.shots is None else config.shots
    unreadable: list[Rejection] = []
    limit, seed = config.limit, config.seed
    items = read_items(task, data, train, shots, limit, seed, unreadable.append)
    for row in unreadable:
        progress.say(f"left out: {row}")
    left_out = {"empty": items.empty, "repeated": items.copies}
    for why, count in left_out.items():
        if count:
            progress.say(f"{loaded.name}: {count:,} {why} rows of {data.name} are left out.")
    if len(items.test) < FEW:
        progress.say(
            f"Warning: {loaded.name} tests {len(items.test)} items; so few tell little, as the "
            "intervals show."
        )
    return _Ready(loaded, data, items, len(unreadable))


def _leaks(task: _Ready, corpus: Corpus | None, progress: Progress) -> dict[str, Leakage]:
    """Items that stand in the training part, the shots among it, and in the corpus."""
    contents = [item.content for item in task.items.test]
    sources: dict[str, Iterator[str]] = {}
    if task.items.pool:
        sources["training_part"] = (item.content for item in task.items.pool)
    elif task.items.shots:
        sources["shots"] = (item.content for item in task.items.shots)
    if corpus is not None:
        sources["corpus"] = corpus.texts("train")
    found = {}
    for name, texts in sources.items():
        found[name] = leakage = find_leaks(contents, texts)
        if leakage.leaked:
            progress.say(
                f"{task.loaded.name}: {len(leakage.leaked):,} of {len(contents):,} items stand in "
                f"the {name.replace('_', ' ')}; scores are given without them as well."
            )
    return found


def _measure(
    subject: EvaluatedModel | Classifier,
    path: Path,
    ready: _Ready,
    leaks: dict[str, Leakage],
    config: EvaluateConfig,
) -> tuple[dict[str, Any], list[ItemResult]]:
    loaded, items = ready.loaded, ready.items
    task, seed = loaded.task, config.seed
    if isinstance(subject, EvaluatedModel):
        samples = task.measure(subject, items.test, [shot.row for shot in items.shots])
    else:
        assert isinstance(task, ClassifyTask)
        shares = subject.probabilities([item.content for item in items.test])
        samples = task.judged(subject.labels, shares, items.test)
    leaked = set[int]().union(*(leakage.leaked for leakage in leaks.values()))
    result: dict[str, Any] = {
        "model": str(path),
        "task": loaded.name,
        **scores_of(loaded, samples, seed),
        "leakage": {
            "items": len(leaked),
            "of": len(items.test),
            "checked": {
                name: {
                    "items": len(leakage.leaked),
                    "texts": leakage.texts,
                    "too_short": leakage.too_short,
                }
                for name, leakage in leaks.items()
            },
        },
    }
    clean = [sample for i, sample in enumerate(samples) if i not in leaked]
    if leaked and clean:
        result["without_leakage"] = scores_of(loaded, clean, seed)
    result |= {
        "floors": {name: plain(found) for name, found in task.baselines(samples, seed).items()},
        "shots": len(items.shots),
        "shot_rows": [shot.number for shot in items.shots],
        "seed": seed,
        "total": items.total,
        "left_out": {
            "empty": items.empty,
            "repeated": items.copies,
            "not_unicode": ready.unreadable,
        },
        "fewer_shots": sum(_shots(sample, len(items.shots)) for sample in samples),
        "cut": sum(sample.prompt is not None and sample.prompt.cut > 0 for sample in samples),
        "data": str(ready.data),
        **task.details(samples),
        "first_prompt": _first(samples),
        "config": {"kind": loaded.kind, **task.plain()},
    }
    return result, samples


def _shots(sample: ItemResult, shots: int) -> bool:
    return sample.prompt is not None and sample.prompt.shots < shots


def _first(samples: Sequence[ItemResult]) -> dict[str, Any] | None:
    """The first prompt as the model read it."""
    prompt = samples[0].prompt
    return None if prompt is None else {"text": prompt.text, "token_ids": prompt.ids}


def _hold_out(ready: _Ready, progress: Progress) -> None:
    """A corpus is no evaluation file: its held-out side is held out already."""
    if ready.data.is_file() and (link := register(ready.data)) is not None:
        progress.say(
            f"{ready.data.name} is held out of corpora built from now on ({link}); "
            "--no-register leaves it."
        )
