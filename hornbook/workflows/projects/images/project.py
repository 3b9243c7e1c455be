"""A Transformer for images: labelled images in, a measured model folder and a report out."""

from pathlib import Path
from typing import Any, Self

from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.read.locations import lies_in
from hornbook.training.choices import Planned
from hornbook.training.dial import probe_speed
from hornbook.training.image_dial import ImagePlan, choose_images
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.projects.images.data import Pictures
from hornbook.workflows.projects.images.problem import ImagesProblem
from hornbook.workflows.projects.images.report import write_report
from hornbook.workflows.projects.images.request import ImagesRecipe, ImagesRequest
from hornbook.workflows.projects.images.result import finish
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project

# Lower rates than those of decoders, and a long fall to zero (docs/log.md, "rates of ViT").
_OPTIMISER = OptimiserConfig(matrix_rate=0.005, embedding_rate=0.003)
_SCHEDULE = ScheduleConfig(cooldown=0.9)
_STEP_SECONDS = 0.1
"""A guess at a step's time: when steps are asked for, only the model's size depends on it."""


class Images(Project[ImagesRequest, ImagesRecipe, ImagesProblem]):
    """Labelled images to learn from and to test on: folders by class, idx files or Parquet."""

    kind = "images"
    recipe = ImagesRecipe

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._pictures: tuple[tuple[int, int], Pictures] | None = None
        self._mistakes: list[dict[str, Any]] = []

    def pictures(self, request: ImagesRequest) -> Pictures:
        """The images, files as large as the request says."""
        form = (request.size, request.channels)
        if self._pictures is None or self._pictures[0] != form:
            self._pictures = form, Pictures(self.folder, *form)
        return self._pictures[1]

    def asked(self, values: dict[str, Any]) -> ImagesRequest:
        known = {
            "optimiser": over(_OPTIMISER, values.get("optimiser")),
            "schedule": over(_SCHEDULE, values.get("schedule")),
        }
        return ImagesRequest.parse({**values, **known}, "vit")

    def fingerprints(self, request: ImagesRequest) -> dict[str, Any]:
        return {"images": self.pictures(request).fingerprint()}

    def places(self) -> dict[str, Any]:
        return {"images": str(self.folder.absolute())}

    @classmethod
    def reopen(cls, recipe: ImagesRecipe) -> Self:
        return cls(recipe.places["images"])

    def plan(self, machine: Machine, request: ImagesRequest, place: Place) -> Planned[ImagePlan]:
        """Probe this machine and turn the dial."""
        if lies_in(place.folder, self.folder):
            raise UsageError(
                f"{place.folder} lies in {self.folder}, whose folders are classes; name another "
                "--out."
            )
        pictures = self.pictures(request)
        rejected = (*pictures.train.rejected[:5], *pictures.test.rejected[:5])
        place.progress.say(*(f"  left out: {one}" for one in rejected))
        seconds = request.minutes * 60 if request.minutes else (request.steps or 0) * _STEP_SECONDS
        _, height, width, channels = pictures.train.pixels.shape
        shape = (height, width, channels)
        return Planned(*choose_images(probe_speed(machine), shape, seconds, request.plan))

    def prepare(
        self, request: ImagesRequest, plan: ImagePlan, machine: Machine, place: Place
    ) -> ImagesProblem:
        problem = ImagesProblem(self.pictures(request), request, plan, machine)
        weights = problem.model.config.parameters()
        place.progress.say(f"Model: {weights:,} weights, width {plan.width}.")
        return problem

    def steps(self, request: ImagesRequest, problem: ImagesProblem) -> int | None:
        return request.steps

    def finish(
        self,
        recipe: ImagesRecipe,
        problem: ImagesProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        result, self._mistakes = finish(recipe, problem, trained.state, facts, place)
        return result

    def report(self, problem: ImagesProblem, result: dict[str, Any], place: Place) -> None:
        write_report(place.folder / layout.REPORT, place.folder, result, self._mistakes)
