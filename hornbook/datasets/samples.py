"""What was read to learn from: samples, how many in which form, and what could not be used."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hornbook.read.documents import Rejection

Item = TypeVar("Item")


class TaskRows(NamedTuple):
    """What was read: samples, how many in which form, and what could not be used."""

    samples: list[Any]
    forms: dict[str, int]
    rejected: list[Rejection]


def collect(found: Iterable[Any]) -> TaskRows:
    """Samples and rejections apart, the forms counted."""
    rows = TaskRows([], {}, [])
    for item in found:
        if isinstance(item, Rejection):
            rows.rejected.append(item)
        else:
            rows.samples.append(item)
    rows.forms.update(Counter(sample.form for sample in rows.samples))
    return rows


def evenly(samples: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, evenly spread."""
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)
    return [samples[i] for i in places]
