"""What belongs together by a field: documents of one patient, client or author.

The same value is the same whatever a format makes of it: 7, 7.0 and "7" are one patient, "007" is
another.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import UsageError, nearest
from hornbook.corpus.document_files import parts, read_parquet

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0*)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_OWN = ("source", "created", "added")
"""Fields of a document that are not in its metadata."""


class Groups(NamedTuple):
    """keys: (N,) text of each document, "" for one without a value, which is a group by itself."""

    field: str
    keys: np.ndarray

    def said(self) -> str | None:
        """What is worth knowing: how many documents have no value."""
        missing, count = int((self.keys == "").sum()), len(self.keys)
        if not missing:
            return None
        return (
            f"{missing:,} of {count:,} documents have nothing in {self.field!r}; each of them is a "
            "group by itself."
        )


def read_groups(read: Path, field: str) -> Groups:
    """The values of a field, "a.b" for one inside another, of all documents in order.

    Raises UsageError for a field that no document has, and where it holds lists or objects.
    """
    keys: list[str] = []
    known: Counter[str] = Counter()
    for part in parts(read):
        table = read_parquet(part, ["id", "metadata", *_OWN])
        for row in table.to_pylist():
            metadata = json.loads(row["metadata"])
            value = _inside(metadata, field)
            if value is None and field in _OWN:
                value = row[field] or None
            if isinstance(value, list | Mapping):
                raise _several(field, value, row["id"])
            known.update(_names(metadata))
            keys.append(key_of(value))
    if keys and not any(keys):
        raise UsageError(_absent(field, known))
    return Groups(field, np.array(keys, object))


def key_of(value: Any) -> str:
    """A text that equal values share; "" for none."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if found := _WHOLE.fullmatch(text):
        return found[1]
    return _moment(text) if _TIME.fullmatch(text) else text


def _moment(text: str) -> str:
    """A time as one spelling of many; a date at midnight is the date."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return moment.isoformat().removesuffix("T00:00:00")


def _inside(metadata: Mapping[str, Any], field: str) -> Any:
    value: Any = metadata
    if field in metadata:
        return metadata[field]
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _names(metadata: Mapping[str, Any]) -> list[str]:
    inner = (
        f"{name}.{other}"
        for name, value in metadata.items()
        if isinstance(value, Mapping)
        for other in value
    )
    return [*metadata, *inner]


def _several(field: str, value: Any, document: str) -> UsageError:
    if isinstance(value, list):
        return UsageError(
            f"--group {field}: {document} has a list there. A document cannot be in several "
            "groups; name a field with one value."
        )
    inside = ", ".join(f"{field}.{name}" for name in list(value)[:5]) or "nothing"
    return UsageError(f"--group {field}: {document} has an object there; it holds {inside}.")


def _absent(field: str, known: Counter[str]) -> str:
    """With the nearest name, or the commonest ones."""
    hint = nearest(field, known)
    if hint.startswith("Valid"):
        hint = f"The commonest: {', '.join(name for name, _ in known.most_common(5))}."
    return (
        f"--group {field}: no document has a value in this field. {hint} Fields that hold lists "
        "or objects at the top of a record are not kept."
    )
