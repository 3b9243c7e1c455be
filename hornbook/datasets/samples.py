"""What was read to learn from: samples, how many in which form, and what could not be used."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from hornbook.read.documents import Rejection


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
