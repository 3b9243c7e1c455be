"""What is decided of each read document: kept or not and why, and what its side depends on.

Knows tags and groups of duplicates; knows no texts.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hornbook.corpus.documents import content_hash
from hornbook.corpus.duplicates import GROUPS, LIKENESS
from hornbook.corpus.near import components
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.select import EMPTY, EXACT, NEAR, Verdict
from hornbook.corpus.store import ATTRIBUTES, parts

NOTHING = content_hash("")
"""The hash of a text of white space."""


def verdicts(
    read: Path, tags: Path, near: Path | None, recipe: CorpusRecipe
) -> Iterator[list[Verdict]]:
    """The verdicts on each part of the stage `read`, in order.

    The first document of each content is kept, and with near_mode drop the first of each group of
    near duplicates. What is kept and belongs together has one hash to be split by.
    """
    ids, hashes, reasons, details, edges = _columns(read, tags)
    count = len(ids)
    groups = np.load(near / GROUPS) if near else np.arange(count)
    likeness = np.load(near / LIKENESS) if near else np.ones(count, np.float32)
    links = [np.stack([np.arange(count), groups], 1)]
    if recipe.group:
        links.append(_same_value(read, recipe.group))
    together = components(count, np.concatenate(links))
    first_with: dict[str, int] = {}
    start = 0
    for stop in edges:
        found = []
        for i in range(start, stop):
            first = first_with.setdefault(hashes[i], i) if not reasons[i] else i
            split = hashes[together[i]]
            if hashes[i] == NOTHING:
                found.append(Verdict(EMPTY, None, None, split))
            elif reasons[i]:
                detail = None if math.isnan(details[i]) else details[i]
                found.append(Verdict(reasons[i], None, detail, split))
            elif first != i:
                found.append(Verdict(EXACT, ids[first], 1.0, split))
            elif recipe.near_mode == "drop" and groups[i] != i:
                found.append(Verdict(NEAR, ids[groups[i]], float(likeness[i]), split))
            else:
                found.append(Verdict("", None, None, split))
        yield found
        start = stop


def _columns(
    read: Path, tags: Path
) -> tuple[list[str], list[str], list[str], list[float], list[int]]:
    """Ids, hashes, reasons and their details of all documents, and where each part ends."""
    import pyarrow.parquet as parquet

    ids: list[str] = []
    hashes: list[str] = []
    reasons: list[str] = []
    details: list[float] = []
    edges: list[int] = []
    for part in parts(read):
        content = parquet.read_table(read / ATTRIBUTES / part.name, columns=["id", "hash"])
        ids += content["id"].to_pylist()
        hashes += content["hash"].to_pylist()
        judged = parquet.read_table(tags / part.name, columns=["reason", "detail"])
        reasons += judged["reason"].to_pylist()
        details += judged["detail"].to_pylist()
        edges.append(len(ids))
    assert len(ids) == len(reasons), "every document has its tags"
    return ids, hashes, reasons, details, edges


def _same_value(read: Path, field: str) -> np.ndarray:
    """(E, 2) from each document to the first with the same value of a metadata field."""
    import pyarrow.parquet as parquet

    first: dict[str, int] = {}
    edges, place = [], 0
    for part in parts(read):
        column: Sequence[str] = parquet.read_table(part, columns=["metadata"])["metadata"]
        for metadata in column.to_pylist():  # type: ignore[attr-defined]
            value = json.loads(metadata).get(field)
            if value is not None:
                edges.append((first.setdefault(json.dumps(value), place), place))
            place += 1
    return np.array(edges, np.int64).reshape(-1, 2)
