"""What a translation run is asked for and what was settled before its first step.

Knows settings; does no work.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import PositiveInt

from hornbook.core.config import over
from hornbook.core.errors import UsageError, unknown
from hornbook.core.files import hash_file
from hornbook.models.translators import TRANSLATORS
from hornbook.train import optimiser, schedule
from hornbook.train.fits import check_fits
from hornbook.train.optimiser import OptimiserConfig
from hornbook.train.pair_dial import PairPlan, WantedPairs
from hornbook.train.schedule import ScheduleConfig
from hornbook.workflows.runs.folder import Settled, TimedRequest


class PairFiles(NamedTuple):
    """The pairs of each split: one table or JSON Lines file, or two aligned ones.

    columns: what such a file calls source and target, or None for the usual names.
    """

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]
    columns: tuple[str, str] | None = None

    @classmethod
    def of(cls, names: dict[str, list[str]], columns: tuple[str, str] | None) -> "PairFiles":
        """From plain data."""
        train, validation, test = (tuple(map(Path, names[split])) for split in cls._fields[:3])
        return cls(train, validation, test, columns)

    def names(self) -> dict[str, list[str]]:
        """Where the files lie, as plain data."""
        splits = zip(self._fields[:3], self[:3], strict=True)
        return {split: [str(file.absolute()) for file in files] for split, files in splits}

    def fingerprint(self) -> dict[str, list[str]]:
        """What is in the files; raises UsageError for one that is not there."""
        return {split: [_hash(file) for file in files] for split, files in self.names().items()}


def _hash(name: str) -> str:
    if not Path(name).is_file():
        raise UsageError(f"{name} does not exist or is no file.")
    return hash_file(Path(name))


class TranslationRequest(TimedRequest):
    """What the user asked for.

    family: a preset of `models.translators`. pairs: fingerprints of the files of each split.
    beams: of the search on the test pairs.
    """

    family: str
    pairs: dict[str, list[str]]
    columns: tuple[str, str] | None = None
    plan: WantedPairs = WantedPairs()
    optimiser: OptimiserConfig
    schedule: ScheduleConfig
    beams: PositiveInt = 4

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        if self.family not in TRANSLATORS:
            raise unknown("family", self.family, TRANSLATORS)
        self.check_time()
        check_fits(self.plan)


class TranslationRecipe(Settled):
    """What was settled before the first step. files: where the pairs lay then, by split."""

    request: TranslationRequest
    files: dict[str, list[str]]
    plan: PairPlan


def request_of(
    splits: Sequence[Sequence[Path]], values: dict[str, Any]
) -> tuple[PairFiles, TranslationRequest]:
    """The files of train, validation and test, and the request that plain `values` make on them.

    Raises UsageError for files that are not there and values that cannot be.
    """
    train, validation, test = map(tuple, splits)
    files = PairFiles(train, validation, test)
    known = {
        "pairs": files.fingerprint(),
        "optimiser": over(optimiser.POST_NORM, values.get("optimiser")),
        "schedule": over(schedule.POST_NORM, values.get("schedule")),
    }
    request = TranslationRequest.parse({**values, **known}, "translation")
    return files._replace(columns=request.columns), request
