"""What the tunings of a decoder share: where model, rows and general text lie, how they are opened,
what may move, and how steps of other sizes are taken."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import torch

from hornbook.adapt.method import Method, parameter_counts
from hornbook.adapt.peft import Base, base_of
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_json
from hornbook.core.machine import Machine
from hornbook.datasets.samples import TaskRows
from hornbook.datasets.split import SampleSplit, wording
from hornbook.models.causal_lm import CausalLM, CausalLMConfig
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config, load_model
from hornbook.models.place import resolve
from hornbook.tokenize.answers import with_template
from hornbook.tokenize.gguf import tokenizer_folder
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.forgetting import General, general_text
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Made, Project, file_fingerprint
from hornbook.workflows.runs.recipe import TimedRequest
from hornbook.workflows.runs.timed import TimedProblem, timed

_WINDOW = 512
"""Tokens of general text that are read at once, at most."""
_WIDTH = 576
"""SmolLM2-135M's, for which rates were chosen; a narrower model bears larger steps."""

Files = Path | str | Sequence[Path | str]


class TuningRequest(TimedRequest):
    """What the user asked for.

    base, tokenizer, data, general: fingerprints of the weights, the tokenizer, the files of rows
    and the general text. prompt: what is asked where rows hold no instruction.
    """

    method: Method
    base: str = ""
    tokenizer: str | None = None
    data: tuple[str, ...] = ()
    general: str = ""
    prompt: str | None = None

    def check(self) -> None:
        super().check()
        if self.prompt is not None and "{text}" not in self.prompt:
            raise UsageError(f"--prompt {self.prompt!r} must hold {{text}}, where the text goes.")


class TuningRows(Protocol):
    """What was read of the rows and encoded. refused: why the chat template cannot write a row."""

    @property
    def split(self) -> SampleSplit: ...

    @property
    def refused(self) -> tuple[str, ...]: ...


Asked = TypeVar("Asked", bound=TuningRequest)
Rows = TypeVar("Rows", bound=TuningRows)


class TuningSource(NamedTuple, Generic[Rows]):
    """What is tuned and on what. place: of the model. general: text to see what is forgotten.

    tokenizer_folder: the tokenizer with a chat template.
    """

    place: Path
    base: Base
    tokenizer: Tokenizer
    tokenizer_folder: Path
    data: Rows
    general: str


class TuningPlan(Protocol):
    """rows: of a step. micro_rows: computed at once."""

    @property
    def rows(self) -> int: ...

    @property
    def micro_rows(self) -> int: ...


class TuningProblem(TimedProblem, Generic[Rows]):
    """A decoder of which something may move. general: the forgetting meter. rest_s: seconds that
    measuring the test part and the general text took before.

    Nothing moves the weights before the loop does, so `begin` finds them where they were read.
    """

    source: TuningSource[Rows]
    model: CausalLM
    general: General
    plan: Any
    batches: Any
    rest_s: float

    def rows_of(self, size: int) -> int:
        """Rows that are computed in a step of such a size."""
        return size

    def resize(self, size: int) -> None:
        at_once = min(self.rows_of(size), self.plan.micro_rows)
        self.plan = self.plan.model_copy(update={"rows": size, "micro_rows": at_once})
        self.loop = self.loop.model_copy(update={"micro_rows": at_once})
        self.batches = self.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.plan.optimiser, dtype))

    @property
    def tokenizer(self) -> Tokenizer:
        """With the chat template that is trained with."""
        return self.source.tokenizer

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        parts = self.source.data.split
        return map(wording, parts.train), map(wording, (*parts.validation, *parts.test))

    def ending_s(self, score_s: float) -> float:
        return self.rest_s


Learned = TypeVar("Learned", bound=TuningProblem[Any])


class Tuning(Project[Asked, Made, Learned], Generic[Asked, Made, Learned, Rows]):
    """A decoder, and rows that say what it should do.

    general: the text of the forgetting meter; Python's documentation if None. Raises UsageError
    where there is no model.
    """

    command = "finetune"
    settle = staticmethod(timed)

    def __init__(self, model: Path | str, data: Files, general: Path | str | None = None) -> None:
        self.model, self.data = resolve(Path(model)), paths_of(data)
        self.general = Path(general) if general else None
        self._source: tuple[Asked, Path, TuningSource[Rows]] | None = None

    @cached_property
    def base(self) -> Base:
        """What is tuned, by its fingerprints."""
        return base_of(self.model)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of rows."""
        return self.data

    def fingerprints(self, request: Asked) -> dict[str, Any]:
        data = tuple(map(file_fingerprint, self.files))
        if self.general is not None and file_fingerprint(self.general) in data:
            raise UsageError(
                f"--general {self.general} is what the model is tuned on; name another text."
            )
        return {
            "base": self.base.weights,
            "tokenizer": self.base.tokenizer,
            "data": data,
            "general": hash_json(general_text(self.general)),
        }

    def places(self) -> dict[str, Any]:
        return {
            "model": str(self.model.absolute()),
            "data": [str(file.absolute()) for file in self.data],
            "general": str(self.general.absolute()) if self.general else None,
        }

    @classmethod
    def reopen(cls, recipe: Made) -> Self:
        return cls(**recipe.places)

    def steps(self, request: Asked, problem: Learned) -> int | None:
        if request.minutes is not None:
            return None
        return max(1, round(request.passes * problem.steps_per_epoch))

    @abstractmethod
    def no_decoder(self) -> UsageError:
        """Why a model that is no decoder is refused, and what takes it."""

    @abstractmethod
    def read(self, request: Asked, place: Place) -> tuple[TaskRows, SampleSplit]:
        """Read and split the rows; what was found and rejected is said."""

    @abstractmethod
    def encode(
        self, request: Asked, found: tuple[TaskRows, SampleSplit], tokenizer: Tokenizer
    ) -> Rows:
        """The rows that can be encoded, as ids."""

    def says_template(self, request: Asked) -> bool:
        """Whether rows are written by a chat template."""
        return True

    def opened(self, request: Asked, place: Place) -> TuningSource[Rows]:
        """The tokenizer and the rows, read once; what would fail after the tuning fails now."""
        if self._source is not None and self._source[:2] == (request, place.folder):
            return self._source[2]
        say, config = place.progress.say, load_config(self.model)
        if not isinstance(config, CausalLMConfig):
            raise self.no_decoder()
        to_hf(config)
        place.progress.doing("reading the rows")
        found = self.read(request, place)
        folder = tokenizer_folder(self.model, place.folder / layout.TOKENIZER, layout.PART)
        folder, said = with_template(folder, place.folder / layout.CHAT_TOKENIZER, layout.PART)
        tokenizer = Tokenizer.load(folder)
        if self.says_template(request):
            say(f"  Template: {said}.")
        data = self.encode(request, found, tokenizer)
        if data.refused:
            say(f"  Left out: {len(data.refused):,} rows; the first, {data.refused[0]}")
        general = general_text(self.general)
        source = TuningSource(self.model, self.base, tokenizer, folder, data, general)
        self._source = request, place.folder, source
        return source


def freed(place: Path, request: TuningRequest, device: str) -> CausalLM:
    """The model as it was, what may move of it freed."""
    model = load_model(place, device, torch.float32)
    assert isinstance(model, CausalLM)
    request.method.apply(model, request.seed)
    return model


def begun(
    source: TuningSource[Any],
    request: TuningRequest,
    plan: TuningPlan,
    schedule: ScheduleConfig,
    machine: Machine,
    place: Place,
) -> tuple[CausalLM, LoopConfig, General]:
    """The model, freed; how its steps are computed; the forgetting meter."""
    model = freed(source.place, request, machine.device)
    moved = parameter_counts(model)
    place.progress.say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    window = min(model.config.context, _WINDOW)
    return model, loop, General(source.general, source.tokenizer, window, loop)


def adamw_rates(
    usual: Mapping[str, float],
    method: Method,
    width: int,
    rate: float | None,
    betas: tuple[float, float],
) -> tuple[OptimiserConfig, str]:
    """How weights move, and why so: AdamW for all, as what is tuned moves little. usual: the rate
    of each kind of method."""
    derived = usual[method.kind]
    if method.kind in ("full", "last"):
        derived = min(10 * derived, derived * _WIDTH / width)
    chosen = derived if rate is None else rate
    config = OptimiserConfig(
        matrix_rule="adamw",
        matrix_rate=chosen,
        embedding_rate=chosen,
        head_rate=chosen,
        scalar_rate=chosen,
        betas=betas,
    )
    return config, "as asked for" if rate is not None else f"for {method} at width {width}"


def doubt(change: Mapping[str, float], lower_is_better: bool = True) -> list[str]:
    """A warning where the interval of a change does not say that tuning helped."""
    worse, better = change["low"] > 0, change["high"] < 0
    if not lower_is_better:
        worse, better = better, worse
    if worse:
        return ["  Warning: tuning did harm; the interval does not hold zero."]
    return (
        [] if better else ["  Warning: it is not sure that tuning helped; the interval holds zero."]
    )


def paths_of(files: Files) -> tuple[Path, ...]:
    """Of one file or several."""
    return tuple(map(Path, [files] if isinstance(files, Path | str) else files))
