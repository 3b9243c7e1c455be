"""What the card of a corpus says, gathered from what was decided and written.

Everything is counted here and checked: what came in is kept or dropped.
"""

import heapq
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.stats import wilson
from hornbook.corpus.accounting import Account
from hornbook.corpus.decontaminate import OverlapIndex
from hornbook.corpus.document_files import (
    find_documents,
    read_documents,
    read_ids,
    read_tags,
    text_sizes,
)
from hornbook.corpus.ingest import quarantined
from hornbook.corpus.paragraphs import Gone
from hornbook.corpus.pii.planted import hits
from hornbook.corpus.recipe import CorpusRecipe, SourceConfig
from hornbook.corpus.select import DROPPED, Selected
from hornbook.corpus.split import Side, Split
from hornbook.corpus.verdicts import CONTAMINATED, EXACT, NEAR, URL, NearGroups, Table

_SAMPLES, _EXCERPT = 3, 300
_GROUPS = 10
_PLANTED = 500
"""Identities of each kind: the interval is about one per cent wide."""


def account_of(books: dict[str, Any], read: Path, selected: Selected) -> Account:
    """in = kept + dropped in documents and bytes, with what could not be read; checked."""
    account = Account()
    account.documents_in, account.bytes_in = books["documents"]["in"], books["bytes"]["in"]
    for reason, count in selected.documents.items():
        if reason:
            account.dropped_documents[reason] += count
            account.dropped_bytes[reason] += selected.bytes[reason]
        else:
            account.documents_kept, account.bytes_kept = count, selected.bytes[reason]
    account.dropped_bytes.update(selected.taken)  # which keeps reasons of empty documents
    for row in quarantined(read):
        account.drop(row["reason"], row["bytes"])
    account.check()
    return account


def token_books(table: Table) -> dict[str, Any]:
    """{in, kept, dropped} in tokens of documents as they were read."""
    tokens = table.tokens
    assert tokens is not None
    dropped = {
        reason: int(tokens[table.reasons == reason].sum())
        for reason in sorted(set(table.reasons.tolist()) - {""})
    }
    kept, whole = int(tokens[table.kept].sum()), int(tokens.sum())
    assert whole == kept + sum(dropped.values()), "every token is kept or dropped"
    return {"in": whole, "kept": kept, "dropped": dropped}


def languages_of(table: Table) -> list[dict[str, Any]]:
    """Of each language, the most frequent first: documents read and kept, what the kept hold."""
    codes, place = np.unique(table.languages, return_inverse=True)
    count = len(codes)
    columns = {
        "read": np.bincount(place, minlength=count),
        "kept": np.bincount(place, table.kept, count),
        "bytes": np.bincount(place, table.bytes * table.kept, count),
    }
    if table.tokens is not None:
        columns["tokens"] = np.bincount(place, table.tokens * table.kept, count)
    rows = [
        {"language": str(code), **{name: int(column[i]) for name, column in columns.items()}}
        for i, code in enumerate(codes)
    ]
    return sorted(rows, key=lambda row: -row["read"])


def mixture_of(table: Table, recipe: CorpusRecipe) -> list[dict[str, Any]]:
    """Of each source: what came in, what is kept, and what one pass over the mixture sees."""
    rows = []
    for i, name in enumerate(table.names):
        own = table.sources == i
        kept = own & table.kept
        settings = recipe.sources.get(name, SourceConfig(match=()))
        row: dict[str, Any] = {
            "name": name,
            "licence": settings.licence,
            "weight": settings.weight,
            "documents": {"in": int(own.sum()), "kept": int(kept.sum())},
        }
        for unit, sizes in (("bytes", table.bytes), ("tokens", table.tokens)):
            if sizes is not None:
                row[unit] = {
                    "in": int(sizes[own].sum()),
                    "kept": int(sizes[kept].sum()),
                    "mixture": int((sizes * table.copies)[kept].sum()),
                }
        row["copies"] = row["bytes"]["mixture"] / max(1, row["bytes"]["kept"])
        rows.append(row)
    return rows


def duplicates_of(table: Table, near: NearGroups | None, gone: Sequence[Gone]) -> dict[str, Any]:
    """How many of each kind were dropped, and the largest groups of near duplicates."""
    counts = Counter(table.reasons.tolist())
    found = {"exact": counts[EXACT], "url": counts[URL], "near": counts[NEAR]}
    found["paragraphs"] = sum(len(p) for part in gone for p in part.reasons.values())
    return {**found, "groups": _groups(table, near) if near else []}


def decontamination_of(
    table: Table, items: OverlapIndex | None, found: np.ndarray | None
) -> dict[str, Any] | None:
    """What was looked for and what was found."""
    if items is None or found is None:
        return None
    leaks = table.reasons == CONTAMINATED
    given = found[leaks & (found >= 0)]
    often = np.bincount(items.file_of[given], minlength=len(items.files))
    rows = [
        {"file": file, "items": int(all_), "too_short": int(short), "found": int(n)}
        for file, (all_, short), n in zip(items.files, items.counts, often, strict=True)
    ]
    return {"files": rows, "documents": int(leaks.sum())}


def recall_of(kinds: Sequence[str]) -> dict[str, Any]:
    """Of each kind of personal data: the share of planted identities that are found."""
    return {
        kind: {"planted": _PLANTED, "found": found, **wilson(found, _PLANTED)._asdict()}
        for kind in kinds
        for found in (hits(kind, 0, _PLANTED),)
    }


def samples_of(out: Path) -> dict[str, Any]:
    """A few documents that were kept, and of each reason a few that were not."""
    few_kept = heapq.nsmallest(_SAMPLES, read_ids(out), key=lambda id: (_draw(id), id))
    kept = [
        {"id": d.id, "source": d.source, "text": d.text[:_EXCERPT]}
        for d in find_documents(out, few_kept)
    ]
    names = ("id", "source", "detail", "duplicate_of", "text")
    dropped: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
    for row in dropped_rows(out):
        few = dropped.setdefault(row["reason"], [])
        few.append((_draw(row["id"]), row["id"], {name: row[name] for name in names}))
        if len(few) > 64:
            few[:] = heapq.nsmallest(_SAMPLES, few, key=lambda item: item[:2])
    return {
        "kept": sorted(kept, key=lambda row: few_kept.index(row["id"])),
        "dropped": {
            reason: [row for _, _, row in heapq.nsmallest(_SAMPLES, few, key=lambda i: i[:2])]
            for reason, few in sorted(dropped.items())
        },
    }


def sides_of(out: Path, split: Split) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Documents and bytes of each side as they are stored, and of one pass over the mixture."""
    sides = {side: {"documents": 0, "bytes": 0} for side in ("train", "validation")}
    one_pass = {"documents": 0, "bytes": 0, "most_copies": 1}
    for side, size, copies in _stored(out, split):
        sides[side]["documents"] += 1
        sides[side]["bytes"] += size
        if side == "train":
            one_pass["documents"] += copies
            one_pass["bytes"] += copies * size
            one_pass["most_copies"] = max(one_pass["most_copies"], copies)
    return sides, one_pass


def _stored(out: Path, split: Split) -> Iterator[tuple[Side, int, int]]:
    """The side, bytes and copies of every document or section, counted from what was stored."""
    if split.section is None:
        for size, tag in zip(text_sizes(out), read_tags(out), strict=True):
            yield split.side(tag.split), size, tag.copies
        return
    for document, tag in zip(read_documents(out), read_tags(out), strict=True):
        for part, side in split.parts(document, tag.split):
            yield side, len(part.text.encode("utf-8")), tag.copies


def dropped_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """What a corpus knows of the documents that it left out."""
    for path in sorted((folder / DROPPED).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _draw(id: str) -> int:
    """A number that says nothing of the document: samples are of all sources and lengths."""
    return zlib.crc32(id.encode("utf-8"))


def _groups(table: Table, near: NearGroups) -> list[dict[str, Any]]:
    firsts, sizes = np.unique(near.first, return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:_GROUPS]
    return [
        {
            "size": int(sizes[i]),
            "first": table.ids[int(firsts[i])].as_py(),
            "similarity": float(near.likeness[near.first == firsts[i]].min()),
        }
        for i in largest
        if sizes[i] > 1
    ]
