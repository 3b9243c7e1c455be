"""Is a small model better with a teacher, in the same time? `python -m benchmarks.distil`.

Needs HORNBOOK_DATA. A larger decoder is pretrained by the dial's own training on a text, and a
student of at most a quarter of its parameters for a moment, with the same tokenizer. Then, with
several seeds, the student learns from texts of the corpus: distilled, and plainly for as long as
asking the teacher and learning took together; for as long as learning alone took; and by going on
with the pretraining. Compared are nats a token on documents that none of them saw, paired.
"""

import argparse
import json
import math
import os
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from benchmarks.common import report
from hornbook.core.clock import NO_LIMIT
from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_config, load_model
from hornbook.training.forgetting import Scores, example_losses
from hornbook.workflows.projects.distil.compared import plain_tuning
from hornbook.workflows.projects.distil.problem import DistilProblem
from hornbook.workflows.projects.distil.project import Distil
from hornbook.workflows.projects.distil.request import DistilRecipe
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.folder import MODEL
from hornbook.workflows.runs.place import Place
from hornbook.workflows.train import train

_QUARTER = 0.25
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36}
"""Of Student's distribution with so many degrees of freedom, both tails 2.5 %."""
_PLAN = {"vocab": 2048, "context": 256, "rows": 16}
_TEACHER = {**_PLAN, "depth": 4, "width": 256}
_STUDENT = {**_PLAN, "depth": 2, "width": 128}


class Asked(NamedTuple):
    """Minutes of the teacher's training, of the student's before, of each distillation with what it
    is compared with; seeds; characters of text that the student learns from."""

    teacher: float
    before: float
    minutes: float
    seeds: int
    characters: int
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual, what in (
        ("teacher", 2.0, "minutes of the teacher's training"),
        ("before", 0.3, "minutes of the student's training before"),
        ("minutes", 1.2, "of each distillation with the plain tuning beside it"),
        ("seeds", 3, "how many"),
        ("characters", 2_000_000, "of text that the student learns from"),
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
    found = [
        _one(folder, corpus, (student.folder, teacher.folder, rows), asked, seed)
        for seed in range(asked.seeds)
    ]
    gains = {
        name: _over_seeds([one["changes"][name] for one in found]) for name in found[0]["changes"]
    }
    report(
        ours={"distilled": [one["distilled"] for one in found]},
        peers={"plain": [one["plain"] for one in found]},
        ratio=None,
        parameters={**sizes, "share": share},
        teacher_bits_per_byte=teacher.result["bits_per_byte"],
        student_bits_per_byte_before=student.result["bits_per_byte"],
        gains=gains,
        seeds=found,
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
) -> dict[str, Any]:
    """With one seed: what is better than what, in nats a token, negative where distilling is."""
    student, teacher, rows = places
    project = Distil(student, teacher, rows)
    run = train(
        project, folder / f"distilled-{seed}", minutes=asked.minutes, seed=seed, progress=True
    )
    result, recipe = run.result, DistilRecipe.load(run.folder)
    gain, place = result["gain"], Place(run.folder, Progress(quiet=True), NO_LIMIT)
    problem = project.prepare(recipe.request, recipe.plan, recipe.machine, place)
    distilled = _scores(problem, run.folder)
    seconds = gain["seconds"]
    aside = place._replace(folder=folder / f"plain-{seed}")
    free = Scores(*plain_tuning(problem, recipe, seconds["distilled"], aside)["test"])
    minutes = (seconds["teacher"] + seconds["distilled"]) / 60
    going_on = train(
        Text(corpus, None, student), folder / f"on-{seed}", minutes=max(minutes, 0.1), seed=seed
    )
    other = _scores(problem, going_on.folder)
    changes = {
        "same_time": gain["change"],
        "teacher_for_nothing": distilled.change(free)._asdict(),
        "pretraining_on": distilled.change(other)._asdict(),
        "own_text": gain["own_text"]["change"],
    }
    return {
        "seed": seed,
        "distilled": gain["distilled"]["value"],
        "plain": gain["plain"]["value"],
        "seconds": seconds,
        "pretraining_s": going_on.result["seconds"],
        "steps": {"distilled": result["steps"], "plain": gain["plain_steps"]},
        "samples": result["distil"]["samples"],
        "changes": changes,
    }


def _scores(problem: DistilProblem, run: Path) -> Scores:
    """The held-out documents by the model of a run."""
    model, examples = load_model(run / MODEL), problem.parts.test
    assert isinstance(model, CausalLM)
    sums = example_losses(model, examples, problem.loop, problem.goal.batches.padding)
    return Scores(sums, [float(one.trained[1:].sum()) for one in examples])


def _over_seeds(changes: list[dict[str, float]]) -> dict[str, Any]:
    """The mean over seeds with its interval by Student's distribution, and how many of the
    intervals over documents are below zero."""
    values = [one["value"] for one in changes]
    below = sum(one["high"] < 0 for one in changes)
    found: dict[str, Any] = {"value": mean(values), "clear_of_zero": below, "seeds": len(values)}
    if len(values) > 1:
        half = _T95[len(values) - 1] * stdev(values) / math.sqrt(len(values))
        found |= {"low": found["value"] - half, "high": found["value"] + half}
    return found


if __name__ == "__main__":
    main()
