"""Is a small model better with a teacher, in the same time? `python -m benchmarks.distil`.

Needs HORNBOOK_DATA. A larger decoder is pretrained by the dial's own training on a text, and a
student of at most a quarter of its parameters for a moment, with the same tokenizer. Then, with
several seeds, the student learns from texts of the corpus: distilled, and plainly for as long as
asking the teacher and learning took together; for as long as learning alone took; and by going on
with the pretraining. Compared are nats a token on documents that none of them saw, paired.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import report
from hornbook.core.clock import NO_LIMIT
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_config, load_model
from hornbook.training.forgetting import Scores, example_losses
from hornbook.workflows.projects.distil.compared import FOLDER, MEASURED, plain_tuning
from hornbook.workflows.projects.distil.problem import DistilProblem
from hornbook.workflows.projects.distil.project import Distil
from hornbook.workflows.projects.distil.request import DistilRecipe
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.folder import MODEL
from hornbook.workflows.runs.place import Place
from hornbook.workflows.train import train

_QUARTER = 0.25
_PLAN = {"vocab": 2048, "context": 256, "rows": 16}
_TEACHER = {**_PLAN, "depth": 4, "width": 256}
_STUDENT = {**_PLAN, "depth": 2, "width": 128}


class Asked(NamedTuple):
    """Minutes of the teacher's training, of the student's before; passes of the student over its
    rows; seeds; characters of text that the student learns from; a file of HORNBOOK_DATA."""

    teacher: float
    before: float
    epochs: float
    seeds: int
    characters: int
    text: str


class Comparison(NamedTuple):
    """The student by one seed: held-out documents distilled, plain in the same time, plain in the
    time without the teacher's, and by pretraining that went on. facts: beside them."""

    distilled: Scores
    plain: Scores
    free: Scores
    going_on: Scores
    facts: dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual, what in (
        ("teacher", 2.0, "minutes of the teacher's training"),
        ("before", 0.3, "minutes of the student's training before"),
        ("epochs", 6.0, "passes of the student over its rows"),
        ("seeds", 2, "how many"),
        ("characters", 300_000, "of text that the student learns from"),
        ("text", "sentiment_imdb/train.jsonl.gz", "of HORNBOOK_DATA"),
    ):
        parser.add_argument(f"--{name}", type=type(usual), default=usual, help=what)
    asked = Asked(**vars(parser.parse_args()))
    if "HORNBOOK_DATA" not in os.environ:
        parser.error("HORNBOOK_DATA must name the folder with the text.")
    with tempfile.TemporaryDirectory() as folder:
        _measured(Path(folder), asked)


def _measured(folder: Path, asked: Asked) -> None:
    source = Path(os.environ["HORNBOOK_DATA"]) / asked.text
    corpus = build([source], folder / "corpus", progress=Progress())
    teacher = train(Text(corpus), folder / "teacher", minutes=asked.teacher, plan=_TEACHER)
    tokenizer = teacher.folder / "tokenizer"
    project = Text(corpus, tokenizer)
    student = train(project, folder / "student", minutes=asked.before, plan=_STUDENT)
    sizes = {
        name: load_config(run.folder / MODEL).parameters()
        for name, run in (("teacher", teacher), ("student", student))
    }
    share = sizes["student"] / sizes["teacher"]
    if share > _QUARTER:
        raise HornbookError(f"The student has {share:.3f} of the teacher's parameters.")
    rows = folder / "rows.jsonl"
    rows.write_text(_rows(corpus, asked.characters), encoding="utf-8")
    places = student.folder, teacher.folder, rows
    found = [_one(folder, corpus, places, asked, seed) for seed in range(asked.seeds)]
    distilled = _together([one.distilled for one in found])
    others = {
        "same_time": _together([one.plain for one in found]),
        "teacher_for_nothing": _together([one.free for one in found]),
        "pretraining_on": _together([one.going_on for one in found]),
    }
    report(
        ours={"distilled": distilled.ratio()._asdict()},
        peers={name: scores.ratio()._asdict() for name, scores in others.items()},
        ratio=None,
        gains={name: distilled.change(scores)._asdict() for name, scores in others.items()},
        parameters={**sizes, "share": share},
        teacher_bits_per_byte=teacher.result["bits_per_byte"],
        student_bits_per_byte_before=student.result["bits_per_byte"],
        seeds=[one.facts for one in found],
        asked=asked._asdict(),
    )


def _rows(corpus: Corpus, characters: int) -> str:
    """Texts to learn from, a line each."""
    lines, left = [], characters
    for text in corpus.texts("train"):
        if left <= 0:
            break
        lines.append(json.dumps({"text": text}, ensure_ascii=False))
        left -= len(text)
    return "\n".join(lines)


def _one(
    folder: Path, corpus: Corpus, places: tuple[Path, Path, Path], asked: Asked, seed: int
) -> Comparison:
    """With one seed."""
    student, teacher, rows = places
    project = Distil(student, teacher, rows)
    run = train(
        project, folder / f"distilled-{seed}", epochs=asked.epochs, seed=seed, progress=True
    )
    result, recipe = run.result, DistilRecipe.load(run.folder)
    place = Place(run.folder, Progress(quiet=True), NO_LIMIT)
    problem = project.prepare(recipe.request, recipe.plan, recipe.machine, place)
    seconds = result["gain"]["seconds"]
    aside = place._replace(folder=folder / f"plain-{seed}")
    free = plain_tuning(problem, recipe, seconds["distilled"], aside)
    minutes = max(0.1, (seconds["teacher"] + seconds["distilled"]) / 60)
    going_on = train(Text(corpus, None, student), folder / f"on-{seed}", minutes=minutes, seed=seed)
    facts = {
        "seed": seed,
        "seconds": {**seconds, "free": free["seconds"], "going_on": going_on.result["seconds"]},
        "steps": {"distilled": result["steps"], "plain": result["gain"]["plain_steps"]},
        "samples": result["distil"]["samples"],
        "same_time": result["gain"]["change"],
        "own_text": result["gain"]["own_text"],
    }
    plain = read_object(run.folder / FOLDER / MEASURED)
    return Comparison(
        _scores(problem, run.folder),
        Scores(*plain["test"]),
        Scores(*free["test"]),
        _scores(problem, going_on.folder),
        facts,
    )


def _scores(problem: DistilProblem, run: Path) -> Scores:
    """The held-out documents by the model of a run."""
    model, examples = load_model(run / MODEL), problem.parts.test
    assert isinstance(model, CausalLM)
    sums = example_losses(model, examples, problem.loop, problem.goal.batches.padding)
    return Scores(sums, [float(one.trained[1:].sum()) for one in examples])


def _together(parts: list[Scores]) -> Scores:
    """The documents of all seeds: each has a split and weights of its own."""
    return Scores(
        [one for part in parts for one in part.sums], [n for p in parts for n in p.counts]
    )


if __name__ == "__main__":
    main()
