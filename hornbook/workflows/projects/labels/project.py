"""A text classifier: a model and labelled texts in, a measured model folder and a report out."""

from pathlib import Path
from typing import Any, Self

from hornbook.adapt.method import Method
from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.models.folder import load_config
from hornbook.training.choices import Choice, Choices, Planned
from hornbook.workflows.projects.labels import backbones
from hornbook.workflows.projects.labels.data import LabelledSplits, hash_data, read_splits
from hornbook.workflows.projects.labels.problem import LabelsProblem, prepare
from hornbook.workflows.projects.labels.rates import SCHEDULE, rates_of
from hornbook.workflows.projects.labels.report import write_report
from hornbook.workflows.projects.labels.request import (
    LabelsPlan,
    LabelsRecipe,
    LabelsRequest,
    WantedLabels,
)
from hornbook.workflows.projects.labels.result import finish
from hornbook.workflows.projects.labels.settle import settle
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project

_ALL_MOVE = 50_000_000
"""Parameters up to which `full` is meant where no method is named."""
_ROWS = 32
"""Texts a step with which the rates were measured."""


class Labels(Project[LabelsRequest, LabelsRecipe, LabelsProblem]):
    """Labelled texts, of which a tenth is held out to measure on and another to stop, choose and
    calibrate by, or texts that are split already; and a model to tune, or a preset to begin afresh.

    Raises UsageError for a model that is no backbone for a classifier of texts.
    """

    kind = "labels"
    command = "finetune"
    recipe = LabelsRecipe
    settle = staticmethod(settle)
    settles_together = False

    def __init__(self, data: Path | str | LabelledSplits, model: Path | str) -> None:
        self.backbone = backbones.find_backbone(str(model))
        self.data = data if isinstance(data, LabelledSplits) else Path(data)
        self._splits: tuple[Any, LabelledSplits] | None = None

    def splits(self, request: LabelsRequest) -> LabelledSplits:
        """The texts that the request is about, read once."""
        columns = (request.text_column, request.label_column)
        about = (request.data, *columns)
        if self._splits is None or self._splits[0] != about:
            if isinstance(self.data, LabelledSplits):
                self.data.check()
                found = self.data
            else:
                found = read_splits(self.data, *columns)
            self._splits = about, found
        return self._splits[1]

    def asked(self, values: dict[str, Any]) -> LabelsRequest:
        """method: None for `full` on backbones of which all may move in minutes, `lora` on larger
        ones."""
        method = self._method(values.get("method"))
        wanted = WantedLabels.parse(values.get("plan") or {}, "plan")
        width = wanted.width or backbones.sizes_of(self.backbone)[0]
        rates = rates_of(method, isinstance(self.backbone, backbones.Fresh), width)
        known = {
            "method": method.plain(),
            "epochs": rates.epochs if values.get("epochs") is None else values["epochs"],
            "optimiser": over(rates.optimiser, values.get("optimiser")),
            "schedule": over(SCHEDULE, values.get("schedule")),
        }
        return LabelsRequest.parse({**values, **known}, "finetune --task classify")

    def _method(self, wanted: Any) -> Method:
        """What the user set, or what suits the backbone. Raises UsageError for what a fresh one
        lacks."""
        if isinstance(self.backbone, backbones.Pretrained):
            small = load_config(self.backbone.place).parameters() <= _ALL_MOVE
            return Method.parse(wanted or ("full" if small else "lora"))
        method = Method.parse(wanted or "full")
        if method.kind != "full":
            raise UsageError(
                f"--method {method} keeps what a model knows already, and {self.backbone.name} "
                "begins afresh: only full makes sense."
            )
        return method

    def fingerprints(self, request: LabelsRequest) -> dict[str, Any]:
        given = self.data
        data = given.fingerprint() if isinstance(given, LabelledSplits) else hash_data(given)
        return {"body": backbones.fingerprint(self.backbone), "data": data}

    def places(self) -> dict[str, Any]:
        model = (
            self.backbone.place.absolute()
            if isinstance(self.backbone, backbones.Pretrained)
            else None
        )
        data = None if isinstance(self.data, LabelledSplits) else str(self.data.absolute())
        return {"data": data, "name": self.backbone.name, "model": str(model or self.backbone.name)}

    @classmethod
    def reopen(cls, recipe: LabelsRecipe) -> Self:
        places = recipe.places
        if places["data"] is None:
            raise UsageError("This run was given its texts by a program: only that can resume it.")
        project = cls(places["data"], places["model"])
        project.backbone = project.backbone._replace(name=places["name"])
        return project

    def plan(self, machine: Machine, request: LabelsRequest, place: Place) -> Planned[LabelsPlan]:
        """Read the texts, and derive the sizes from the backbone."""
        place.progress.say("Reading the texts ...")
        place.progress.say(*self.splits(request).said())
        width, depth, context = backbones.sizes_of(self.backbone)
        fresh = isinstance(self.backbone, backbones.Fresh)
        there = None if fresh else WantedLabels(width=width, depth=depth)
        sizes = Choices(request.plan, there)
        sizes.pick("rows", _ROWS, "the rates were measured with so many texts a step")
        sizes.pick("width", width, "what learns from labels alone stays small")
        sizes.pick("depth", depth, "what learns from labels alone stays small")
        sizes.made.append(Choice("context", context, "tokens of a text that are read"))
        backbone = Choice("body", self.backbone.name, "as asked for")
        return Planned(sizes.plan(LabelsPlan), [backbone, *sizes.made])

    def prepare(
        self, request: LabelsRequest, plan: LabelsPlan, machine: Machine, place: Place
    ) -> LabelsProblem:
        return prepare(self.splits(request), self.backbone, request, plan, machine, place)

    def steps(self, request: LabelsRequest, problem: LabelsProblem) -> int | None:
        """Passes become steps when it is settled what there is time to read."""
        return None

    def finish(
        self,
        recipe: LabelsRecipe,
        problem: LabelsProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(self.backbone, recipe, problem, trained, facts, place)

    def report(self, problem: LabelsProblem, result: dict[str, Any], place: Place) -> None:
        write_report(place.folder / layout.REPORT, place.folder, result)
