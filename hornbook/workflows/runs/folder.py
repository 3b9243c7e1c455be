"""A run folder: what was asked, what was settled, and where each thing lies.

The recipe holds all that a resumed or repeated run needs to give the same bits. Knows names and
settings; does no work.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import Field

from hornbook.core.claims import MARKER, Claim, marker_of
from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import read_json, write_text
from hornbook.core.folders import check_place, sign
from hornbook.core.machine import DType, Machine
from hornbook.core.progress import Progress
from hornbook.core.yaml_text import write_yaml
from hornbook.train.choices import Choice
from hornbook.train.dial import Plan, Wanted
from hornbook.train.fits import check_fits
from hornbook.train.forecast import Forecast
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import OptimiserConfig
from hornbook.train.schedule import ScheduleConfig

LEAST_MINUTES, MOST_MINUTES, MOST_TOKENS = 0.1, 525_600.0, 10**15
"""What can be meant: a year, and more tokens than there is text."""


def check_minutes(minutes: float, least: float) -> None:
    """Raises UsageError for a time too short to learn anything, beyond all use, or no number."""
    if not least <= minutes <= MOST_MINUTES:
        raise UsageError(f"--minutes {minutes:g}: must be {least:g} to {MOST_MINUTES:,.0f}.")


class TimedRequest(Config):
    """What is asked of a run that is given minutes or steps, exactly one of them.

    dtype, compiled, device: the user's word, or None to measure.
    """

    minutes: float | None = None
    steps: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    dtype: DType | None = None
    compiled: bool | None = None
    device: str | None = None

    def check_time(self) -> None:
        """Refuse a time that cannot be meant, before any work."""
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("Say how long to train: either --minutes or --steps.")
        if self.minutes is not None:
            check_minutes(self.minutes, LEAST_MINUTES)


class PretrainRequest(Config):
    """What the user asked for. Exactly one of minutes and tokens says how long to train.

    corpus, tokenizer, init: fingerprints of the corpus, of a tokenizer brought along, and of a
    model to go on from. plan: sizes the user set himself. isolate: documents in one window do not
    see each other. dtype, compiled, device: the user's word, or None to measure.
    """

    corpus: str
    minutes: float | None = None
    tokens: int | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    tokenizer: str | None = None
    init: str | None = None
    plan: Wanted = Wanted()
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    isolate: bool = False
    dtype: DType | None = None
    compiled: bool | None = None
    device: str | None = None

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        if (self.minutes is None) == (self.tokens is None):
            raise UsageError("Say how long to train: either --minutes or --tokens.")
        if self.minutes is not None:
            check_minutes(self.minutes, LEAST_MINUTES)
        if self.tokens is not None and not 1 <= self.tokens <= MOST_TOKENS:
            raise UsageError(f"--tokens {self.tokens}: must be 1 to {MOST_TOKENS:,}.")
        check_fits(self.plan)


class Recorded(Config):
    """What a run folder's recipe holds, whatever is trained."""

    request: Config
    machine: Machine
    choices: list[Choice]
    loop: LoopConfig
    versions: dict[str, str]

    def save(self, run: Path) -> None:
        """Write recipe.yaml."""
        sign(run, RUN, RECIPE)
        write_text(run / RECIPE, write_yaml(self.plain()))

    @classmethod
    def load(cls, run: Path) -> Self:
        """Read recipe.yaml; raises UsageError naming the file and the key that is wrong."""
        return cls.parse(read_recipe(run / RECIPE), str(run / RECIPE))


MOST_EVALUATIONS, MOST_SAMPLES = 12, 5
"""How often a run looks at its model, at most."""


class Settled(Recorded):
    """What a rehearsal settled besides, before the first step. evaluations, samples: how many."""

    compiled: bool
    compiled_reason: str
    forecast: Forecast
    evaluations: int = MOST_EVALUATIONS
    samples: int = MOST_SAMPLES


class Recipe(Settled):
    """What was settled before the first step of pretraining.

    corpus_folder, tokenizer_folder, init_folder: where they lay then, so that a run resumes by its
    name alone.
    """

    request: PretrainRequest
    corpus_folder: str
    tokenizer_folder: str | None
    init_folder: str | None
    plan: Plan


RECIPE = "recipe.yaml"
TOKENIZER = "tokenizer"
CHAT_TOKENIZER = "tokenizer-with-template"
MASK_TOKENIZER = "tokenizer-with-mask"
SHARDS = "shards"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
FLOORS = "floors"
OUTPUTS = "outputs.jsonl"
MODEL = "model"
ADAPTER = "adapter"
BEST = "best"
BEFORE = "before.json"
RESULT = "result.json"
REPORT = "report.html"

PARTS = (TOKENIZER, CHAT_TOKENIZER, MASK_TOKENIZER, SHARDS, FLOORS, MODEL, ADAPTER)
"""Folders in a run's that are written whole."""
RUN, PART = Claim("a run of training"), Claim("a part of a run")
SAVED = Claim(PART.maker, repairs=True, whole=True)
"""Of what is written again and again in the course of a run."""


AnyRecipe = TypeVar("AnyRecipe", bound=Recorded)


def previous(run: Path, request: Config, resume: bool, kind: type[AnyRecipe]) -> AnyRecipe | None:
    """The recipe of the unfinished or finished run of the same request in `run`, if any.

    kind: which recipe it must be. Raises UsageError when the folder holds another run, or an
    unfinished one and `resume` is not set, so that nothing is overwritten by accident.
    """
    if resume:
        require_run(run)
    if not (run / RECIPE).is_file():
        _check_place(run)
        return None
    recipe = kind.load(run)
    if recipe.request != request:
        changed = _difference(recipe.request, request)
        raise UsageError(f"{run} holds another run ({changed}); choose another --out.")
    if not (run / RESULT).is_file():
        if not resume:
            raise UsageError(f"{run} holds an unfinished run; continue it with --resume.")
        _check_parts(run)
    return recipe


def require_run(run: Path) -> None:
    """Raises UsageError when there is nothing in `run` to go on with."""
    if not (run / RECIPE).is_file():
        raise UsageError(
            f"{run} holds no run to resume: there is no {RECIPE}. Start without --resume."
        )


def finished(run: Path, recipe: Recorded | None, progress: Progress) -> dict[str, Any] | None:
    """The facts of a run that is there and needs no more work, and it is said."""
    if recipe is None or not (run / RESULT).is_file():
        return None
    progress.say(f"Reused: {run} already holds this run, finished.")
    return result(run)


def _check_place(run: Path) -> None:
    """A run begins in a new folder, or where one was stopped before its recipe was settled."""
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run} is a file; --out needs a folder.")
    listed = (marker_of(run) or {}).get("files", {})
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if (path.name in (MARKER, *listed) and _is_ours(run, RUN)) or path.name.startswith("."):
            continue
        if path.name == BEFORE and "request" in read_json(path):
            continue
        if path.name not in PARTS or not _is_ours(path, PART):
            raise UsageError(f"{run} holds other files ({path.name}); choose another --out.")


def _is_ours(folder: Path, claim: Claim) -> bool:
    """Whether a run wrote a folder."""
    return (marker_of(folder) or {}).get("maker") == claim.maker


def _check_parts(run: Path) -> None:
    """What is written at the end must have its place before the training, not after it."""
    for name in PARTS:
        check_place(run / name, PART)
    check_place(run / BEST, SAVED)


def _difference(old: Config, new: Config) -> str:
    was, now = dict(_leaves(old.plain())), dict(_leaves(new.plain()))
    return ", ".join(f"{key} was {was[key]}, now {now[key]}" for key in was if was[key] != now[key])


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def weights_bytes(run: Path) -> int:
    """What the model and the checkpoints of a run hold on disk."""
    return sum(file.stat().st_size for file in run.rglob("*.safetensors"))


def result(run: Path) -> dict[str, Any]:
    """The facts of a finished run. Raises HornbookError when it has not finished."""
    if not (run / RESULT).is_file():
        raise HornbookError(f"{run} holds no finished run.")
    facts: dict[str, Any] = read_json(run / RESULT)
    return facts
