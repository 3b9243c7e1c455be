"""What the teacher is worth: the same student learns from the same data without it, in as much time
as asking the teacher and learning from it took, and both are measured on the same texts.
"""

from pathlib import Path
from typing import Any

import torch

from hornbook.core.clock import Clock
from hornbook.core.files import read_json, write_json
from hornbook.training.checkpoint import load_checkpoint, trainable
from hornbook.training.forgetting import Scores
from hornbook.training.loop import LoopConfig
from hornbook.workflows.projects.answers.problem import TuningStart
from hornbook.workflows.projects.answers.result import Further
from hornbook.workflows.projects.distil.prepare import learning
from hornbook.workflows.projects.distil.problem import DistilProblem
from hornbook.workflows.projects.distil.request import DistilRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained, train_run
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.tuning import freed

FOLDER, OWN_UNIT = "plain", "nats a token from the teacher"
MEASURED, _SETTLED = "measured.json", "settled.json"
_TIMED = 3
"""Steps that are timed."""


def against_plain(
    problem: DistilProblem, recipe: DistilRecipe, trained: Trained, place: Place
) -> Further:
    """The gain over plain tuning in the same time, with its interval. What was measured before a
    run was stopped is not measured again."""
    taught, folder = problem.taught, place.folder / FOLDER
    assert taught is not None
    own = problem.own_text("test")
    seconds = taught.seconds + trained.state.elapsed_s
    if not (folder / MEASURED).is_file():
        place.progress.say(
            f"Plain tuning for the same {seconds:,.1f} s, to compare with; "
            f"{taught.seconds:,.1f} s of them were the teacher's."
        )
        aside = place._replace(folder=folder)
        write_json(folder / MEASURED, plain_tuning(problem, recipe, seconds, aside))
    plain = read_json(folder / MEASURED)
    test, written = Scores(*plain["test"]), Scores(*plain["own"])
    distilled = problem.tested()
    change, apart = distilled.change(test), own.change(written)
    facts = {
        "unit": problem.goal.unit,
        "items": len(distilled.sums),
        "distilled": distilled.ratio()._asdict(),
        "plain": test.ratio()._asdict(),
        "change": change._asdict(),
        "own_text": {
            "unit": OWN_UNIT,
            "items": len(own.sums),
            "distilled": own.ratio()._asdict(),
            "plain": written.ratio()._asdict(),
            "change": apart._asdict(),
        },
        "seconds": {
            "teacher": taught.seconds,
            "distilled": trained.state.elapsed_s,
            "plain": plain["seconds"],
        },
        "plain_steps": plain["steps"],
    }
    lines = [
        f"Against plain tuning for the same time ({seconds:,.1f} s, {taught.seconds:,.1f} s of "
        f"them the teacher's; {plain['seconds']:,.1f} s plain): {test.ratio().value:.4f} to "
        f"{distilled.ratio().value:.4f} {problem.goal.unit}, {change.value:+.4f} "
        f"({change.low:+.4f} to {change.high:+.4f}).",
        f"From the teacher on its own text: {written.ratio().value:.3f} plain, "
        f"{own.ratio().value:.3f} distilled, nats a token; {apart.value:+.3f} "
        f"({apart.low:+.3f} to {apart.high:+.3f}).",
    ]
    if change.low > 0:
        lines.append("  Warning: with the teacher it is worse than without; the interval says so.")
    elif change.high >= 0:
        lines.append("  Warning: it is not sure that the teacher helped; the interval holds zero.")
    return Further({"gain": facts}, lines)


def plain_tuning(
    problem: DistilProblem, recipe: DistilRecipe, seconds: float, place: Place
) -> dict[str, Any]:
    """The plain tuning for so long, in a folder of its own, from its last checkpoint where there is
    one. Returns `test` and `own`, the parts of `Scores`, and the `seconds` and `steps` it took."""
    source, request = problem.source, problem.request.alone()
    model = freed(source.place, request, problem.loop.device)
    found = TuningStart(model, problem.parts, problem.general, problem.loop, problem.before)
    examples = [one._replace(number=number) for number, one in enumerate(problem.parts.train)]
    other = learning(source, found, examples, (None, None), (request, problem.plan, place))
    other.choices = []
    loop = _settled(other, seconds, place.folder)
    state = other.begin()
    load_checkpoint(place.folder / layout.CHECKPOINTS, state, place.progress.say)
    again = recipe.model_copy(update={"request": request, "loop": loop, "samples": 0})
    left_s = (1 - state.step / loop.steps) * seconds + recipe.evaluations * other.score_s
    clock = Clock.start(left_s / 60)
    trained = train_run(again, other, state, clock, place, "finetune", place.folder.parent)
    return {
        "test": list(other.tested()),
        "own": list(problem.own_text("test", other.model)),
        "seconds": trained.state.elapsed_s,
        "steps": trained.state.step,
    }


def _settled(problem: DistilProblem, seconds: float, folder: Path) -> LoopConfig:
    """As many steps as there is time for, settled once."""
    if not (folder / _SETTLED).is_file():
        before = {name: weight.detach().clone() for name, weight in trainable(problem.model)}
        step_s = _step_seconds(problem)
        with torch.no_grad():
            for name, weight in trainable(problem.model):
                weight.copy_(before[name])
        write_json(folder / _SETTLED, {"steps": max(1, round(seconds / step_s))})
    return problem.loop.model_copy(update=read_json(folder / _SETTLED))


def _step_seconds(problem: DistilProblem) -> float:
    """Of a step, on an average of some: this training is as long as one that had no luck."""
    state = problem.begin()
    problem.learn(state, problem.loop)  # kernels are prepared in the first
    before = state.elapsed_s
    problem.learn(state, problem.loop.model_copy(update={"steps": 1 + _TIMED}))
    return (state.elapsed_s - before) / _TIMED
