"""Translation: pairs in, a measured model folder and a report out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from hornbook.core.config import over
from hornbook.core.machine import Machine
from hornbook.evaluate.bleu import require_bleu
from hornbook.tokenize.characters import frequent_characters
from hornbook.training import optimiser, schedule
from hornbook.training.choices import Planned
from hornbook.training.dial import probe_speed
from hornbook.training.pair_dial import PairPlan, choose_pairs
from hornbook.training.vocabulary import TextSize
from hornbook.workflows.projects.pairs.data import ReadSplit, read_split, text_bytes
from hornbook.workflows.projects.pairs.problem import PairsProblem, prepare
from hornbook.workflows.projects.pairs.report import write_report
from hornbook.workflows.projects.pairs.request import PairsRecipe, PairsRequest
from hornbook.workflows.projects.pairs.result import finish
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project, file_fingerprint

_STEP_SECONDS = 0.5
"""A guess at a step's time: when steps are asked for, only the model's size depends on it."""

Files = Path | str | Sequence[Path | str]


class Pairs(Project[PairsRequest, PairsRecipe, PairsProblem]):
    """Pairs to learn from, to validate on and to measure BLEU on: each one table or JSON Lines
    file, or two aligned ones."""

    kind = "pairs"
    recipe = PairsRecipe

    def __init__(self, train: Files, validation: Files, test: Files) -> None:
        given = {"train": train, "validation": validation, "test": test}
        self.files = {
            name: tuple(map(Path, [files] if isinstance(files, Path | str) else files))
            for name, files in given.items()
        }
        self._read: tuple[Any, dict[str, ReadSplit]] | None = None

    def asked(self, values: dict[str, Any]) -> PairsRequest:
        known = {
            "optimiser": over(optimiser.POST_NORM, values.get("optimiser")),
            "schedule": over(schedule.POST_NORM, values.get("schedule")),
        }
        return PairsRequest.parse({**values, **known}, "translation")

    def fingerprints(self, request: PairsRequest) -> dict[str, Any]:
        return {
            "pairs": {
                name: [file_fingerprint(file) for file in files]
                for name, files in self.files.items()
            }
        }

    def places(self) -> dict[str, Any]:
        return {
            name: [str(file.absolute()) for file in files] for name, files in self.files.items()
        }

    @classmethod
    def reopen(cls, recipe: PairsRecipe) -> Self:
        return cls(**recipe.places)

    def plan(self, machine: Machine, request: PairsRequest, place: Place) -> Planned[PairPlan]:
        """Probe this machine and turn the dial."""
        require_bleu()
        seconds = request.minutes * 60 if request.minutes else (request.steps or 0) * _STEP_SECONDS
        pairs = self._splits(request, place)["train"].pairs
        characters = frequent_characters(text for pair in pairs for text in pair)
        size = TextSize(text_bytes(pairs), characters)
        chosen = choose_pairs(request.family, probe_speed(machine), size, seconds, request.plan)
        return Planned(*chosen)

    def prepare(
        self, request: PairsRequest, plan: PairPlan, machine: Machine, place: Place
    ) -> PairsProblem:
        require_bleu()
        return prepare(self._splits(request, place), request, plan, machine, place)

    def _splits(self, request: PairsRequest, place: Place) -> dict[str, ReadSplit]:
        """The pairs that the request is about, read once."""
        about = (request.pairs, request.columns)
        if self._read is None or self._read[0] != about:
            found = {
                name: read_split(name, files, request.columns, place.progress)
                for name, files in self.files.items()
            }
            self._read = about, found
        return self._read[1]

    def steps(self, request: PairsRequest, problem: PairsProblem) -> int | None:
        return request.steps

    def finish(
        self,
        recipe: PairsRecipe,
        problem: PairsProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(recipe, problem, trained.state, facts, place)

    def report(self, problem: PairsProblem, result: dict[str, Any], place: Place) -> None:
        write_report(place.folder / layout.REPORT, place.folder, result)
