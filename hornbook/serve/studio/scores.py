"""The score of a run of any kind: which figure it is, its value, and its interval once it ended."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hornbook.training.measures import MEASURES

_PLACES = {
    "bits_per_byte": ("bits_per_byte",),
    "bleu": ("bleu",),
    "error": ("error",),
    "accuracy": ("metrics", "accuracy"),
    "mrr@10": ("held_out", "mrr@10", "after"),
    "loss": ("held_out", "after"),
    "nats_per_token": ("nats_per_token",),
}
"""Measures, the telling ones first, and where a result has them."""
_STYLES = {"accuracy": "{:.1%}", "bleu": "{:.1f}", "mrr@10": "{:.3f}", "loss": "{:.3f}"}
CURVES = (*MEASURES, "loss")
"""What is looked at while a run learns; lower is better in all."""


class RunScore(NamedTuple):
    """measure: of those above, "" where there is none yet. low, high: of the interval."""

    measure: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """As people write it."""
        return "" if self.value is None else written(self.measure, self.value)

    @property
    def interval(self) -> str:
        """As people write it, "" where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{written(self.measure, self.low)}–{written(self.measure, self.high)}"


def written(measure: str, value: float) -> str:
    """A value of a measure as people write it."""
    if measure in MEASURES:
        return MEASURES[measure].text(value)
    return _STYLES.get(measure, "{:.4g}").format(value)


def score_of(result: dict[str, Any], rows: Sequence[dict[str, Any]]) -> RunScore:
    """Of a result, or of the last validation where there is none. rows: of a run's log."""
    for measure, place in _PLACES.items():
        found: Any = result
        for name in place:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, dict):
            value, low, high = (found.get(name) for name in ("value", "low", "high"))
        else:
            value, low, high = found, None, None
        if value is None:
            seen = [row[measure] for row in rows if _is_validation(row, measure)]
            value, low, high = seen[-1] if seen else None, None, None
        if isinstance(value, int | float):
            return RunScore(measure, float(value), low, high)
    return RunScore()


def curve_of(rows: Sequence[dict[str, Any]]) -> str:
    """The measure that a run is looked at by; "" where it was not looked at yet."""
    return next((name for name in CURVES if any(_is_validation(row, name) for row in rows)), "")


def _is_validation(row: dict[str, Any], measure: str) -> bool:
    return row.get("kind") == "validation" and isinstance(row.get(measure), int | float)
