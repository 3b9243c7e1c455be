"""`train`, `forecast` and `Run`: a run of any kind, and what lies in its folder.

What is learned from is a project: `Text`, `Pairs`, `Images`, `Answers`, `Distil` or `Labels`.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hornbook.core import ranks
from hornbook.core.clock import Clock
from hornbook.core.config import read_recipe
from hornbook.core.errors import UsageError
from hornbook.core.metrics import MetricsLog
from hornbook.core.progress import Progress
from hornbook.workflows.open.load import Loaded, load
from hornbook.workflows.projects import resume
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.foretell import foretell
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.run import run

_SIZES = {
    name: name for name in ("depth", "width", "heads", "hidden", "context", "rows", "micro_rows")
} | {"vocab_size": "vocab"}
"""Options that are sizes of the plan, and what the plan calls them."""


class Run:
    """A run folder: what was asked, what came of it, and the model.

    folder: where it lies, wherever the program goes. Raises UsageError where it holds no run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        if not (self.folder / layout.RECIPE).is_file():
            raise UsageError(f"{folder} holds no run: there is no {layout.RECIPE}.")

    def __repr__(self) -> str:
        state = "finished" if self.finished else "unfinished"
        return f"{type(self).__name__}({str(self.folder)!r}, {state})"

    @property
    def finished(self) -> bool:
        """Whether it has its result."""
        return layout.is_finished(self.folder)

    @property
    def result(self) -> dict[str, Any]:
        """What was measured, as --json prints it. Raises HornbookError when it has not finished."""
        return layout.result(self.folder)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What was logged while it trained: a row for each `step` with a figure."""
        return MetricsLog(self.folder / layout.METRICS).rows()

    @property
    def recipe(self) -> dict[str, Any]:
        """What was asked for and what was settled, with the reason of each choice."""
        return read_recipe(self.folder / layout.RECIPE)

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder / layout.REPORT

    def model(self, *, device: str | None = None, weights: str | None = None) -> Loaded:
        """The trained model, as `load` gives it."""
        return load(self.folder, device=device, weights=weights)

    def resume(self, *, progress: bool | Progress = False) -> "Run":
        """Go on where it was stopped, with the same bits; a finished run stays as it is."""
        with _process_as_it_was():
            resume(self.folder, _progress(progress))
        return self


def train(
    project: Project[Any, Any, Any],
    folder: str | Path,
    *,
    resume: bool = False,
    progress: bool | Progress = False,
    began: float | None = None,
    **values: Any,
) -> Run:
    """Train a model on the data of a project, measure it, and write all of it into a run folder.

    project: `Text`, `Pairs`, `Images`, `Answers` or `Labels`. folder: a new one, or one with this
    very run: a finished one is reused, a stopped one goes on with `resume`. progress: say what is
    being done, on stderr. began: when the minutes began (time.monotonic), now if None. values: the
    options of `hornbook pretrain` and `finetune`, with underscores: minutes, seed, depth, method
    and so on; or the keys of a recipe.

    Raises UsageError for what cannot be meant, before any work; Interrupted after Ctrl-C, with a
    checkpoint written; Diverged where the loss is no number any more.
    """
    request = project.request(_values(project, values))
    since = ranks.began(time.monotonic() if began is None else began)
    clock, where = Clock.start(request.minutes, since), Path(folder).expanduser()
    with _process_as_it_was():
        run(project, where, request, resume=resume, progress=_progress(progress), clock=clock)
    return Run(where)


def forecast(
    project: Project[Any, Any, Any],
    folder: str | Path,
    *,
    progress: bool | Progress = False,
    began: float | None = None,
    **values: Any,
) -> dict[str, Any]:
    """What `train` with the same arguments would choose, take and reach, of which nothing is
    written: see `runs.foretell`. Takes as long as a run takes before its first step."""
    request = project.request(_values(project, values))
    clock, where = Clock.start(request.minutes, began), Path(folder).expanduser()
    with _process_as_it_was():
        return foretell(project, where, request, progress=_progress(progress), clock=clock)


def _values(project: Project[Any, Any, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a recipe: what is None left out, sizes within `plan`, families as presets."""
    found = {name: value for name, value in values.items() if value is not None}
    fields = project.recipe.model_fields["request"].annotation.model_fields
    plan = found.pop("plan", {})
    if not isinstance(plan, Mapping):
        raise UsageError(f"plan = {plan!r} holds a value, not keys such as plan.depth.")
    sizes = {_SIZES[name]: found.pop(name) for name in _SIZES if name in found.keys() - fields}
    if project.kind == "text":
        from hornbook.models.presets import preset_of

        preset = preset_of(found.pop("family", None), found.pop("preset", None))
        sizes |= {"preset": preset} if preset else {}
    return found | ({"plan": {**plan, **sizes}} if plan or sizes else {})


def _progress(wanted: bool | Progress) -> Progress:
    return wanted if isinstance(wanted, Progress) else Progress(quiet=not wanted)


@contextlib.contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Afterwards torch has as many threads as before, and the random numbers of before."""
    import torch

    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
