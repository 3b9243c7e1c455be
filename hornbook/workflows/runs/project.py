"""What differs between kinds of run: what is asked, planned, prepared and made of the end.

A project is the data of a run, opened. `runs.run` leads every one of them through the same life.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file
from hornbook.core.machine import Machine
from hornbook.core.metrics import MetricsLog
from hornbook.training.choices import Planned
from hornbook.training.measures import MEASURES
from hornbook.training.problem import Problem
from hornbook.workflows.report.charts import curve
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import Recipe, Request
from hornbook.workflows.runs.report import SHARED, points, write_page
from hornbook.workflows.runs.settle import Settle, rehearsed

Asked = TypeVar("Asked", bound=Request)
Made = TypeVar("Made", bound=Recipe)
Learned = TypeVar("Learned", bound=Problem)


def file_fingerprint(file: Path) -> str:
    """Of a file that a user named. Raises UsageError where there is none."""
    if not file.is_file():
        raise UsageError(f"{file} does not exist or is no file.")
    return hash_file(file)


class Project(ABC, Generic[Asked, Made, Learned]):
    """A kind of run, with its data.

    kind: stands in recipe.yaml. command: that goes on with a stopped run. recipe: the class of what
    was settled. settle: how the number of steps is found. settles_together: by steps that all
    processes take, where there are several; by this one alone where it tries others than those of
    the problem.
    """

    kind: ClassVar[str]
    command: ClassVar[str] = "pretrain"
    recipe: type[Made]
    settle: ClassVar[Settle] = staticmethod(rehearsed)
    settles_together: ClassVar[bool] = True

    @abstractmethod
    def asked(self, values: dict[str, Any]) -> Asked:
        """The request that plain values make, fingerprints left out. Raises UsageError."""

    @abstractmethod
    def fingerprints(self, request: Asked) -> dict[str, Any]:
        """The fields of a request that say which data it is about."""

    @abstractmethod
    def places(self) -> dict[str, Any]:
        """Where the data lie, as plain data, for `reopen`."""

    @classmethod
    @abstractmethod
    def reopen(cls, recipe: Made) -> Self:
        """The project of a run, by where its data lay."""

    @abstractmethod
    def plan(self, machine: Machine, request: Asked, place: Place) -> Planned[Any]:
        """Sizes, with a reason for each."""

    @abstractmethod
    def prepare(self, request: Asked, plan: Any, machine: Machine, place: Place) -> Learned:
        """All that stands before the first step; what would fail at the end fails here."""

    @abstractmethod
    def steps(self, request: Asked, problem: Learned) -> int | None:
        """How many steps were asked for; None where minutes decide."""

    def began(self, recipe: Made, place: Place) -> None:
        """The recipe is written; the run has begun."""

    @abstractmethod
    def finish(
        self, recipe: Made, problem: Learned, trained: Trained, facts: dict[str, Any], place: Place
    ) -> dict[str, Any]:
        """Measure, write the model into the folder; returns `facts` with those of this kind."""

    def report(self, problem: Learned, result: dict[str, Any], place: Place) -> None:
        """Write the page about the facts of a result: how it learned, the forecast, the choices."""
        folder, measure = place.folder, MEASURES[problem.measure]
        line = points(MetricsLog(folder / layout.METRICS).rows(), problem.measure)
        targets, fact = line[-1]
        write_page(
            folder / layout.REPORT,
            "run.html.jinja",
            self.recipe.load(folder),
            result,
            [SHARED["curve"], SHARED["forecast"], SHARED["choices"]],
            fact=fact,
            targets=int(targets),
            measure=measure,
            curve=curve({"model": line}, {}, "targets · 目标"),
        )

    def request(self, values: dict[str, Any]) -> Asked:
        """The request that plain values make on these data. Raises UsageError, before any work."""
        asked = self.asked(values)
        asked.check()
        return asked.model_copy(update=self.fingerprints(asked))

    def require_same(self, request: Asked, run: Path) -> None:
        """Raises UsageError when the data are no longer those of the stopped run."""
        for name, value in self.fingerprints(request).items():
            if getattr(request, name) != value:
                raise UsageError(
                    f"The data of {run} are no longer what they were ({name}); start a new run."
                )
