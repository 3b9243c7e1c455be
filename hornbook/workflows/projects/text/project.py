"""Pretraining on text: a corpus in, a measured model folder and a report out."""

from pathlib import Path
from typing import Any, Self

from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.corpus.corpus import Corpus
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config, weights_fingerprint
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.place import resolve
from hornbook.models.presets import MASKED_PRESETS
from hornbook.tokenize.characters import frequent_characters
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training import optimiser, schedule
from hornbook.training.choices import Planned
from hornbook.training.dial import Plan, choose, probe_speed, sizes_of
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.vocabulary import TextSize
from hornbook.workflows.projects.text.baselines import measure_baselines
from hornbook.workflows.projects.text.problem import TextProblem, prepare
from hornbook.workflows.projects.text.report import write_report
from hornbook.workflows.projects.text.request import TextRecipe, TextRequest
from hornbook.workflows.projects.text.result import finish
from hornbook.workflows.projects.text.tasks import check_task
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import lineage
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project


class Text(Project[TextRequest, TextRecipe, TextProblem]):
    """Text to learn from: a corpus, and a tokenizer or a model that are there already.

    baselines: a folder of them that runs on the same corpus share; the run's own if None. Raises
    UsageError for a model that neither continues text nor fills in words.
    """

    kind = "text"
    recipe = TextRecipe

    def __init__(
        self,
        corpus: Corpus | Path | str,
        tokenizer: Path | str | None = None,
        init: Path | str | None = None,
        baselines: Path | None = None,
    ) -> None:
        self.corpus = corpus if isinstance(corpus, Corpus) else Corpus.open(Path(corpus))
        self.tokenizer = Path(tokenizer) if tokenizer else None
        self.init, self.baselines = None, baselines
        if init is None:
            return
        if tokenizer is not None:
            raise UsageError(f"--init {init} brings its own tokenizer; leave --tokenizer out.")
        self.init = self.tokenizer = resolve(Path(init))
        check_task(load_config(self.init), self.init)

    def asked(self, values: dict[str, Any]) -> TextRequest:
        """Going on from a model is gentler than beginning, as far as the values do not say how the
        weights move."""
        rates, timing = self._movement(values)
        known = {
            "optimiser": over(rates, values.get("optimiser")),
            "schedule": over(timing, values.get("schedule")),
        }
        return TextRequest.parse({**values, **known}, "pretrain")

    def fingerprints(self, request: TextRequest) -> dict[str, Any]:
        tokenizer, init = self.tokenizer, self.init
        return {
            "corpus": self.corpus.fingerprint,
            "tokenizer": Tokenizer.load(tokenizer).fingerprint if tokenizer else None,
            "init": weights_fingerprint(init) if init else None,
        }

    def places(self) -> dict[str, Any]:
        found = {"corpus": self.corpus.folder, "tokenizer": self.tokenizer, "init": self.init}
        return {name: str(place.absolute()) if place else None for name, place in found.items()}

    @classmethod
    def reopen(cls, recipe: TextRecipe) -> Self:
        places = recipe.places
        return cls(
            places["corpus"], None if places["init"] else places["tokenizer"], places["init"]
        )

    def plan(self, machine: Machine, request: TextRequest, place: Place) -> Planned[Plan]:
        """Probe this machine and turn the dial."""
        self.corpus.require("train", "validation")
        flops = probe_speed(machine)
        seconds = request.minutes * 60 if request.minutes else _seconds_for(request.tokens, flops)
        there, longest, vocab = None, None, None
        if self.init:
            config = load_config(self.init)
            there, longest = sizes_of(config, to_hf(config)[0].model_type), config.context
        elif self.tokenizer:
            vocab = Tokenizer.load(self.tokenizer).vocab_size
        fixed = vocab or there or request.plan.vocab
        characters = 0 if fixed else frequent_characters(self.corpus.texts("train"))
        size = TextSize(self.corpus.mixture_bytes, characters)
        return Planned(*choose(flops, machine, size, seconds, request.plan, there, longest, vocab))

    def prepare(
        self, request: TextRequest, plan: Plan, machine: Machine, place: Place
    ) -> TextProblem:
        self.corpus.require("train", "validation")
        problem = prepare(self.corpus, self.tokenizer, self.init, request, plan, machine, place)
        baselines = self.baselines or place.folder / layout.FLOORS
        problem.baselines = measure_baselines(problem, baselines, place.clock, place.progress)
        return problem

    def steps(self, request: TextRequest, problem: TextProblem) -> int | None:
        plan = problem.plan
        return -(-request.tokens // (plan.rows * plan.context)) if request.tokens else None

    def began(self, recipe: TextRecipe, place: Place) -> None:
        lineage.record(place.folder, self.corpus.built or recipe.request.corpus, self.init)

    def finish(
        self,
        recipe: TextRecipe,
        problem: TextProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(recipe, problem, trained.state, facts, place)

    def report(self, problem: TextProblem, result: dict[str, Any], place: Place) -> None:
        write_report(place.folder / layout.REPORT, self.corpus, place.folder, result)

    def _movement(self, values: dict[str, Any]) -> tuple[OptimiserConfig, ScheduleConfig]:
        """How weights move where the user does not say it."""
        if self.init:
            masked = isinstance(load_config(self.init), MaskedLMConfig)
        else:
            masked = (values.get("plan") or {}).get("preset") in MASKED_PRESETS
        rates = optimiser.MASKED if masked else OptimiserConfig()
        timing = schedule.POST_NORM if masked else ScheduleConfig()
        return (rates.gentle() if self.init else rates), timing


def _seconds_for(tokens: int | None, flops: float) -> float:
    """A guess at the time `tokens` take, at 10 M weights: only the dial's shape depends on it."""
    assert tokens is not None
    return tokens * 6e7 / flops
