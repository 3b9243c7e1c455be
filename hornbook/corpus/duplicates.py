"""Which document repeats which: the same text exactly, or nearly.

Works part by part: of each document a hash and a signature are kept on disk, and one band of them
in memory.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.files import save_array
from hornbook.core.pool import Runner
from hornbook.corpus.document_files import read_parquet, text_batches
from hornbook.corpus.near import WORDLESS, NearConfig, components, pairs, signatures, similar
from hornbook.corpus.texts import Texts

SIGNATURES = "signatures.npy"
GROUPS = "groups.npy"
LIKENESS = "likeness.npy"
LEAKS = "leaks.npy"
_BATCH = 4 * 2**20
"""Characters that are signed together."""
_ITEMS = 4096
"""Evaluation texts that are."""


class SignTask(NamedTuple):
    """documents, tags: the part's Parquet files; documents with a reason repeat nothing."""

    documents: Path
    tags: Path
    near: NearConfig


def sign_part(task: SignTask) -> np.ndarray:
    """The signatures of one part's documents, in order."""
    batches = text_batches(task.documents, _BATCH)
    found = [signatures(Texts(texts), task.near) for _, texts in batches]
    width = math.prod(task.near.banding())
    signed = np.concatenate(found) if found else np.zeros((0, width), np.uint32)
    reasons = read_parquet(task.tags, ["reason"])["reason"].to_pylist()
    signed[[bool(reason) for reason in reasons]] = WORDLESS
    return signed


def find_near(
    tasks: list[SignTask], out: Path, near: NearConfig, items: list[str], runner: Runner
) -> None:
    """Write `groups.npy`, the first document of each document's group, and `likeness.npy`.

    Documents are counted over all parts in order. likeness: of a document to that first one, 1 for
    itself. items: evaluation texts; `leaks.npy` tells which documents are in a group with one.
    """
    count, width = 0, math.prod(near.banding())
    with (out / SIGNATURES).open("wb") as stream:
        for signed in runner.map(sign_part, tasks):
            stream.write(np.ascontiguousarray(signed).tobytes())
            count += len(signed)
        for first in range(0, len(items), _ITEMS):
            signed = signatures(Texts(items[first : first + _ITEMS]), near)
            stream.write(np.ascontiguousarray(signed).tobytes())
    whole = count + len(items)
    # Nothing can be mapped of an empty file.
    stored = np.memmap(out / SIGNATURES, np.uint32, "r", shape=(whole, width)) if whole else None
    groups, likeness = np.arange(whole), np.ones(count, np.float32)
    if stored is not None:
        edges, _ = pairs(stored, near)
        groups = components(whole, edges)
        others = np.flatnonzero(groups[:count] != np.arange(count))
        for part in np.array_split(others, max(1, len(others) // 2**16)):
            likeness[part] = similar(stored[part], stored[groups[part]])
        del stored
    save_array(out / GROUPS, groups[:count])
    save_array(out / LIKENESS, likeness)
    save_array(out / LEAKS, np.isin(groups[:count], groups[count:]))
    (out / SIGNATURES).unlink()
