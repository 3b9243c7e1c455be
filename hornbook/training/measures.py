"""What runs are measured by: how people call it, how it is written, and how it goes on falling.

A line for each measure; a kind of run with a measure of its own adds one.
"""

from typing import NamedTuple


class Measure(NamedTuple):
    """Names in English and Chinese, and how a value is written.

    Runs that end their schedule after n steps reach about n^-slope. spread: standard deviation of
    the slope between data, model sizes and lengths.
    """

    en: str
    zh: str
    style: str
    slope: float
    spread: float

    def text(self, value: float) -> str:
        return self.style.format(value)


class Fall(NamedTuple):
    """The slope by which a run goes on from its rehearsal, with the bounds of an interval."""

    low: float
    middle: float
    high: float


MEASURES = {
    "bits_per_byte": Measure("bits per byte", "比特/字节", "{:.3f}", 0.11, 0.04),
    "nats_per_token": Measure("nats a target token", "奈特/目标词元", "{:.3f}", 0.34, 0.12),
    "error": Measure("share of images named wrongly", "认错图像的比例", "{:.1%}", 0.22, 0.10),
}
"""By the names that forecasts and logs use; slopes are fitted to the runs in docs/log.md
("forecast"), spreads to very small models as well: a user's own runs count for more as soon as
there are some (`workflows.runs.ledger`). Lower is better in all."""
