"""The tags of one part of the read documents: language, what each rule measured, the verdict.

Parts are tagged independently of one another, in as many processes as there are. Knows Parquet,
languages and rules; knows nothing of the folder around its parts.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.corpus.language import language_of
from hornbook.corpus.rules import RULES
from hornbook.corpus.texts import Texts

_BATCH_BYTES = 2 * 2**20
"""Text that is looked at together: what rules count of it takes some fifty times the memory."""
LANGUAGE = "language"
"""The reason of documents in other languages than those wanted."""


class TagTask(NamedTuple):
    """documents: the part's Parquet file. out: where its tags go. rules: thresholds by kind."""

    documents: Path
    out: Path
    languages: tuple[str, ...] | None
    rules: dict[str, dict[str, Any]]


def tag_part(task: TagTask) -> dict[str, dict[str, int]]:
    """Write language, share, values and `reason` (empty: kept) of each document, in order.

    A document is dropped for the first reason only: its language, then the rules in the order of
    the recipe. Returns how many documents each rule hit, whatever else hit them, and how many it
    judged: {rule: {hits, judged}}.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    rules = {kind: RULES[kind].parse(values, kind) for kind, values in task.rules.items()}
    hits = {kind: {"hits": 0, "judged": 0} for kind in rules}
    fields = [("id", arrow.string()), ("language", arrow.string()), ("share", arrow.float32())]
    fields += [(kind, arrow.float32()) for kind in rules] + [("reason", arrow.string())]
    schema = arrow.schema(fields)
    file = parquet.ParquetFile(task.documents)
    with parquet.ParquetWriter(task.out, schema, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, ["id", "text"])
            ids, texts = table["id"].to_pylist(), table["text"].to_pylist()
            for start, stop in _batches(texts):
                columns = _tags(ids[start:stop], texts[start:stop], task, rules, hits)
                writer.write_table(arrow.table(columns, schema))
    return hits


def _tags(
    ids: list[str],
    documents: list[str],
    task: TagTask,
    rules: dict[str, Any],
    hits: dict[str, dict[str, int]],
) -> dict[str, Any]:
    """The columns of a batch; `hits` is added to."""
    languages = [language_of(text) for text in documents]
    codes = [language.code for language in languages]
    reasons = np.full(len(ids), "", object)
    if task.languages is not None:
        reasons[~np.isin(codes, task.languages)] = LANGUAGE
    texts, values = Texts(documents, codes), {}
    for kind, rule in rules.items():
        values[kind], kept = rule.judge(texts)
        hits[kind]["hits"] += int((~kept).sum())
        hits[kind]["judged"] += int((~np.isnan(values[kind])).sum())
        reasons[~kept & (reasons == "")] = rule.reason
    shares = np.array([language.share for language in languages], np.float32)
    return {"id": ids, "language": codes, "share": shares, **values, "reason": reasons.tolist()}


def _batches(texts: list[str]) -> list[tuple[int, int]]:
    """Places where batches of about _BATCH_BYTES begin and end."""
    found, start, size = [], 0, 0
    for i, text in enumerate(texts):
        size += len(text)
        if size >= _BATCH_BYTES:
            found.append((start, i + 1))
            start, size = i + 1, 0
    return found + ([(start, len(texts))] if start < len(texts) else [])
