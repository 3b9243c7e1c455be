"""What a model does before the first step of its tuning, and what measuring it takes.

Measured once: a run that is resumed has the figures and the samples of the beginning. Knows the run
folder and the goal; trains nothing.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from hornbook.adapt.method import parameter_counts
from hornbook.core.clock import Clock
from hornbook.core.files import hash_json, read_json, write_json
from hornbook.core.progress import Progress
from hornbook.train.loop import LoopConfig
from hornbook.train.state import TrainState
from hornbook.workflows.projects.answers.best import Best
from hornbook.workflows.projects.answers.goal import Goal, Scores
from hornbook.workflows.projects.answers.request import FinetunePlan, FinetuneRequest
from hornbook.workflows.projects.answers.result import Bench
from hornbook.workflows.projects.answers.time import EXAMPLES, Sizes, Spent, evenly, sizes_in_time
from hornbook.workflows.runs import folder as layout


def measure_on(
    out: Path,
    bench: Bench,
    plan: FinetunePlan,
    loop: LoopConfig,
    request: FinetuneRequest,
    clock: Clock,
    progress: Progress,
) -> None:
    """Keep of the held-out parts what there is time to score; a resumed run keeps the same."""
    found = _facts_before(out, request).get("sizes")
    general = bench.general.windows
    sizes = (
        Sizes(**found)
        if found
        else sizes_in_time(bench.model, bench.parts, general, plan, loop, clock)
    )
    for name, side in bench.parts._asdict().items():
        most = getattr(sizes, name, len(side))
        if most < len(side):
            progress.say(f"  {most:,} of {len(side):,} {name} samples are scored, as time is short")
    bench.parts = bench.parts._replace(
        validation=evenly(bench.parts.validation, sizes.validation),
        test=evenly(bench.parts.test, sizes.test),
    )
    bench.general.keep(evenly(range(len(general)), sizes.general))


def _facts_before(out: Path, request: FinetuneRequest) -> dict[str, Any]:
    """What was measured before the first step of this request, in a run that was stopped."""
    path = out / layout.BEFORE
    if not path.is_file():
        return {}
    facts: dict[str, Any] = read_json(path)
    return facts if facts["request"] == hash_json(request.plain()) else {}


def measured_before(
    out: Path, bench: Bench, goal: Goal, request: FinetuneRequest, progress: Progress
) -> dict[str, Any]:
    """What the model does before the first step: measured once, also when a run is resumed."""
    facts = _facts_before(out, request)
    if not facts:
        progress.say("Measuring what the model does before ...")
        started = time.perf_counter()
        validation = goal.before("validation").ratio().value
        once = time.perf_counter() - started
        parts = bench.parts
        sizes = Sizes(len(parts.validation), len(parts.test), len(bench.general.windows))
        facts = {
            "request": hash_json(request.plain()),
            "sizes": sizes._asdict(),
            "test": goal.before("test")._asdict(),
            "general": bench.general.score(bench.model)._asdict(),
            "validation": validation,
        }
        facts["seconds"] = {"validation": once, "all": time.perf_counter() - started}
        write_json(out / layout.BEFORE, facts)
    test, general = Scores(**facts["test"]).ratio(), Scores(**facts["general"]).ratio()
    progress.say(
        f"Before: {test.value:.3f} {goal.unit} held out, {general.value:.4f} bits per byte of "
        "general text."
    )
    return facts


def spent_of(out: Path, before: dict[str, Any], state: TrainState, clock: Clock) -> Spent:
    """What the parts of the run take, by what they took; writing is tried aside."""
    if not clock.limited:
        return Spent(0.0, 0.0, 0.0)
    with tempfile.TemporaryDirectory(prefix=".timing-", dir=out) as aside:
        started = time.perf_counter()
        Best(Path(aside), 1).offer(state, before["validation"])
        keeping = time.perf_counter() - started
    moved, seconds = parameter_counts(state.model), before["seconds"]
    showing = EXAMPLES * clock.given_s
    # Writing a small part says little of writing all.
    writing = min(keeping * moved.all / max(1, moved.trained), showing)
    ending = seconds["all"] - seconds["validation"] + showing + writing
    return Spent(seconds["validation"], ending, keeping)
