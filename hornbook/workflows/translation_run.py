"""What a translation run is asked for and what was settled before its first step.

Knows settings; does no work.
"""

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, PositiveInt

from hornbook.core.config import Config
from hornbook.core.errors import UsageError, unknown
from hornbook.core.files import hash_file
from hornbook.core.machine import Machine
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import OptimiserConfig
from hornbook.train.schedule import ScheduleConfig
from hornbook.workflows.run import Settled, TimedRequest, check_heads

# Post-norm needs its warm-up, and shared token vectors, which are the head as well, a smaller rate
# than those of decoders that have a head of their own (docs/log.md).
_OPTIMISER = OptimiserConfig(
    matrix_rate=0.01, embedding_rate=0.003, scalar_rate=0.003, betas=(0.9, 0.98)
)
_SCHEDULE = ScheduleConfig(warmup=0.05, cooldown=0.7)


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


class TranslationPlan(Config):
    """Sizes of the model, of its tokenizer and of a step.

    vocab: tokens of the tokenizer; the model has one more, which starts a target. tokens: of a
    step, both sides and their padding. dropout, smoothing: shares of channels and of targets.
    """

    vocab: PositiveInt = 3999
    width: PositiveInt = 256
    depth: PositiveInt = 3
    heads: PositiveInt = 4
    hidden: PositiveInt = 512
    context: PositiveInt = 128
    tokens: PositiveInt = 8192
    dropout: float = Field(default=0.15, ge=0.0, lt=1.0)
    smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)

    def sizes(self, vocab: int) -> PairSizes:
        """What the preset asks for; `vocab` is the finished tokenizer's."""
        side = SideSizes(depth=self.depth, heads=self.heads, hidden=self.hidden)
        return PairSizes(
            vocab=vocab + 1,
            width=self.width,
            context=self.context,
            encoder=side,
            decoder=side,
            start=vocab,
            dropout=self.dropout,
        )


class TranslationRequest(TimedRequest):
    """What the user asked for.

    family: a preset of `models.translators`. pairs: fingerprints of the files of each split.
    beams: of the search on the test pairs.
    """

    family: str
    pairs: dict[str, list[str]]
    columns: tuple[str, str] | None = None
    plan: TranslationPlan = TranslationPlan()
    optimiser: OptimiserConfig = _OPTIMISER
    schedule: ScheduleConfig = _SCHEDULE
    beams: PositiveInt = 4

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        if self.family not in TRANSLATORS:
            raise unknown("family", self.family, TRANSLATORS)
        self.check_time()
        check_heads(self.plan.width, self.plan.heads)


class TranslationRecipe(Settled):
    """What was settled before the first step. files: where the pairs lay then, by split."""

    request: TranslationRequest
    files: dict[str, list[str]]
    machine: Machine
    loop: LoopConfig
    versions: dict[str, str]


def request_of(files: PairFiles, values: dict[str, Any]) -> TranslationRequest:
    """The request that plain `values` make on these pairs; raises UsageError."""
    known = {"pairs": files.fingerprint(), "columns": files.columns}
    return TranslationRequest.parse({**values, **known}, "translation")
