"""Which document repeats which: the same text exactly, or nearly.

Works part by part: of each document a hash and a signature are kept on disk, and one band of them
in memory. Knows Parquet and `near`; decides nothing.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.pool import parallel
from hornbook.corpus.near import WORDLESS, NearConfig, components, pairs, signatures, similar
from hornbook.corpus.store import text_batches
from hornbook.corpus.texts import Texts

SIGNATURES = "signatures.npy"
GROUPS = "groups.npy"
LIKENESS = "likeness.npy"
_BATCH = 4 * 2**20
"""Characters that are signed together."""


class SignTask(NamedTuple):
    """documents, tags: the part's Parquet files; documents with a reason repeat nothing."""

    documents: Path
    tags: Path
    near: NearConfig


def sign_part(task: SignTask) -> np.ndarray:
    """The signatures of one part's documents, in order."""
    import pyarrow.parquet as parquet

    batches = text_batches(task.documents, _BATCH)
    found = [signatures(Texts(texts), task.near) for _, texts in batches]
    width = task.near.bands * task.near.rows
    signed = np.concatenate(found) if found else np.zeros((0, width), np.uint32)
    reasons = parquet.read_table(task.tags, columns=["reason"])["reason"].to_pylist()
    signed[[bool(reason) for reason in reasons]] = WORDLESS
    return signed


def find_near(tasks: list[SignTask], out: Path, near: NearConfig) -> None:
    """Write `groups.npy`, the first document of each document's group, and `likeness.npy`.

    Documents are counted over all parts in order. likeness: of a document to that first one, 1 for
    itself.
    """
    count = 0
    with (out / SIGNATURES).open("wb") as stream:
        for signed in parallel(sign_part, tasks):
            stream.write(np.ascontiguousarray(signed).tobytes())
            count += len(signed)
    width = near.bands * near.rows
    if count:
        stored = np.memmap(out / SIGNATURES, np.uint32, "r", shape=(count, width))
        edges, _ = pairs(stored, near)
        groups = components(count, edges)
        likeness = np.ones(count, np.float32)
        others = np.flatnonzero(groups != np.arange(count))
        for part in np.array_split(others, max(1, len(others) // 2**16)):
            likeness[part] = similar(stored[part], stored[groups[part]])
        del stored
    else:
        groups, likeness = np.zeros(0, np.int64), np.zeros(0, np.float32)
    np.save(out / GROUPS, groups)
    np.save(out / LIKENESS, likeness)
    (out / SIGNATURES).unlink()
