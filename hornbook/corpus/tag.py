"""The tags of one part of the read documents: language, what each rule measured, the verdict.

Parts are tagged independently of one another, in as many processes as there are.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.corpus.document_files import text_batches
from hornbook.corpus.language import language_of
from hornbook.corpus.rules import RULES
from hornbook.corpus.texts import Texts

_BATCH = 2**19
"""Characters looked at together: what rules count of them takes some fifty times the memory, which
should not leave the processor's cache by far; with fewer, each rule's fixed cost weighs more."""
LANGUAGE = "language"
"""The reason of documents in other languages than those wanted."""


class TagTask(NamedTuple):
    """documents: the part's Parquet file. out: where its tags go. languages: those kept, and the
    least share of a text in one of them. rules: thresholds by kind.
    """

    documents: Path
    out: Path
    languages: tuple[str, ...] | None
    language_share: float
    rules: dict[str, dict[str, Any]]


def tag_part(task: TagTask) -> dict[str, dict[str, int]]:
    """Write each document's language, share, values, `reason` (empty: kept) and `detail`, in order.

    A document is dropped for the first reason only: its language, then the rules in the order of
    the recipe. detail: what that rule measured. Returns how many documents each rule hit, whatever
    else hit them, and how many it judged: {rule: {hits, judged}}.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    rules = {kind: RULES[kind].parse(values, kind) for kind, values in task.rules.items()}
    hits = {kind: {"hits": 0, "judged": 0} for kind in rules}
    fields = [("id", arrow.string()), ("language", arrow.string()), ("share", arrow.float32())]
    fields += [(kind, arrow.float32()) for kind in rules]
    schema = arrow.schema([*fields, ("reason", arrow.string()), ("detail", arrow.float32())])
    tables = [
        arrow.table(_tags(ids, texts, task, rules, hits), schema)
        for ids, texts in text_batches(task.documents, _BATCH)
    ]
    # One row group: for each, writing two dozen columns takes as long as some of the rules.
    tags = arrow.concat_tables([schema.empty_table(), *tables])
    parquet.write_table(tags, task.out, compression="zstd")
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
    shares = np.array([language.share for language in languages], np.float32)
    reasons = np.full(len(ids), "", object)
    texts, values, detail = Texts(documents, codes), {}, np.full(len(ids), np.nan, np.float32)
    if task.languages is not None:
        wanted = np.isin(codes, task.languages)
        little = wanted & (shares < np.float32(task.language_share))
        reasons[~wanted | little], detail[little] = LANGUAGE, shares[little]
    for kind, rule in rules.items():
        values[kind], kept = rule.judge(texts)
        hits[kind]["hits"] += int((~kept).sum())
        hits[kind]["judged"] += int((~np.isnan(values[kind])).sum())
        decides = ~kept & (reasons == "")
        reasons[decides], detail[decides] = rule.reason, values[kind][decides]
    first = {"id": ids, "language": codes, "share": shares}
    return {**first, **values, "reason": reasons.tolist(), "detail": detail}
