"""How a text classifier is tuned when nobody says: rates, passes, pooling by backbone and method.

All of it was measured (docs/log.md, "rates of classifiers").
"""

from typing import NamedTuple

from hornbook.adapt.method import Method
from hornbook.nn.pooling import MeanConfig, PoolingConfig
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig

SCHEDULE = ScheduleConfig(warmup=0.1, cooldown=0.9)
_WIDTH = 384
"""Of the backbone whose rates were measured; where its own weights move, a wider one needs lower
rates, in proportion. The factors of LoRA begin anew on any backbone: theirs do not depend on its
width."""


class Rates(NamedTuple):
    """optimiser: peak rates. epochs: passes over the texts where neither time nor user ends it."""

    optimiser: OptimiserConfig
    epochs: float


def rates_of(method: Method, fresh: bool, width: int) -> Rates:
    """What a method needs on a pretrained backbone of `width` channels, or on a fresh one."""
    share = _WIDTH / width
    if method.kind == "head":
        return Rates(_adamw(0.003, 0.003, 0.003), 30)
    if fresh:
        rates = OptimiserConfig(
            matrix_rate=0.01, embedding_rate=0.01, head_rate=0.003, scalar_rate=0.003
        )
        return Rates(rates, 10)
    if method.kind == "lora":
        return Rates(_adamw(0.002, 0.001, 0.003), 5)
    if method.kind == "last":
        return Rates(_adamw(3e-4 * share, 3e-4 * share, 0.001), 5)
    return Rates(_adamw(1.5e-4 * share, 1.5e-4 * share, 0.001), 4)


def _adamw(backbone: float, scalars: float, head: float) -> OptimiserConfig:
    """What AdamW made, AdamW moves on."""
    return OptimiserConfig(
        matrix_rule="adamw",
        matrix_rate=backbone,
        embedding_rate=backbone,
        scalar_rate=scalars,
        head_rate=head,
        betas=(0.9, 0.98),
    )


def pooling_of(method: Method, fresh: bool) -> PoolingConfig | None:
    """What makes one vector of a text; None for what the backbone's family has elsewhere too.

    Where the backbone learns, it learns to put what counts into that one vector, given texts
    enough; one that stays was never taught to, and a fresh one has no time to: both are read by
    the mean.
    """
    if method.kind == "head" or fresh:
        return MeanConfig()
    return None
