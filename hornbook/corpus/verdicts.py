"""What is decided of each read document: kept or not and why, how often, and what its side is.

Everything is decided on columns over all documents in order; texts are not looked at.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.corpus.document_files import ATTRIBUTES, parts, read_parquet
from hornbook.corpus.mix import Documents, copies_of
from hornbook.corpus.near import components
from hornbook.corpus.paragraphs import Gone
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.select import FORGOTTEN, Verdicts
from hornbook.corpus.urls import plain_url
from hornbook.read.documents import content_hash

EMPTY, MIXTURE = "empty", "mixture"
EXACT, URL, NEAR = "duplicate", "duplicate url", "near duplicate"
CONTAMINATED, REPETITIVE = "evaluation data", "paragraphs repeated or foreign"
_NOTHING = content_hash("").encode()
"""The hash of a text of white space."""


class NearGroups(NamedTuple):
    """(N,) each, of all documents: the first of its group, how like it is, whether an evaluation
    item is in the group.
    """

    first: np.ndarray
    likeness: np.ndarray
    leaks: np.ndarray


@dataclass
class Table:
    """(N,) columns of all read documents, in order.

    hashes: 32 hexadecimal digits of the content. reasons: "" while a document is kept. details:
    what is behind the reason, or NaN. edges: (P + 1,) where each part begins and ends. names,
    sources: of the sources, and the number of each document's. repeats: the place of the document
    that it repeats, or -1. copies: how often it is seen. together: the place of the first that it
    must share a side with. tokens: None while none are counted.
    """

    ids: Any
    hashes: np.ndarray
    bytes: np.ndarray
    languages: np.ndarray
    reasons: np.ndarray
    details: np.ndarray
    edges: np.ndarray
    names: list[str]
    sources: np.ndarray
    repeats: np.ndarray
    copies: np.ndarray
    together: np.ndarray
    tokens: np.ndarray | None = None

    @property
    def kept(self) -> np.ndarray:
        """(N,) bool."""
        kept: np.ndarray = self.reasons == ""
        return kept

    def drop(self, which: np.ndarray, reason: str) -> np.ndarray:
        """Give the reason to those among `which` that are still kept; returns (N,) which."""
        which = which & self.kept
        self.reasons[which] = reason
        return which

    def parts(self) -> Iterator[slice]:
        """The documents of each part."""
        return (slice(a, b) for a, b in zip(self.edges, self.edges[1:], strict=False))

    def verdicts(self, part: slice, gone: Gone | None) -> Verdicts:
        """The verdicts on one part."""
        import pyarrow as arrow

        repeats, details, count = self.repeats[part], self.details[part], part.stop - part.start
        tokens = np.zeros(count) if self.tokens is None else self.tokens[part]
        columns = {
            "reason": arrow.array(self.reasons[part], arrow.string()),
            "repeats": self.ids.take(arrow.array(repeats, mask=repeats < 0)),
            "detail": arrow.array(details, arrow.float64(), mask=np.isnan(details)),
            "hash": arrow.array(self.hashes[part].astype(str)),
            "split": arrow.array(self.hashes[self.together[part]].astype(str)),
            "source": arrow.array(self.names, arrow.string()).take(self.sources[part]),
            "copies": arrow.array(self.copies[part], arrow.int32()),
            "tokens": arrow.array(tokens, arrow.int64(), mask=np.full(count, self.tokens is None)),
        }
        return Verdicts(arrow.table(columns), gone.reasons if gone else {})


def read_table(read: Path, tags: Path, source_of: Callable[[str], str]) -> Table:
    """The columns of the stages read and tags. source_of: a part's name to its source's."""
    import pyarrow as arrow

    files = parts(read)
    content = [read_parquet(read / ATTRIBUTES / part.name) for part in files]
    judged = [read_parquet(tags / part.name, ["language", "reason", "detail"]) for part in files]
    sizes = [table.num_rows for table in content]
    assert sizes == [table.num_rows for table in judged], "every document has its tags"
    both, tagged = arrow.concat_tables(content), arrow.concat_tables(judged)
    of_part = [source_of(part.name) for part in files]
    names = sorted(set(of_part))
    count = sum(sizes)
    return Table(
        ids=both["id"].combine_chunks(),
        hashes=np.array(both["hash"].to_pylist(), "S32"),
        bytes=both["bytes"].to_numpy(),
        languages=np.array(tagged["language"].to_pylist(), "U3"),
        reasons=np.array(tagged["reason"].to_pylist(), object),
        details=tagged["detail"].to_numpy().copy(),
        edges=np.cumsum([0, *sizes]),
        names=names,
        sources=np.repeat([names.index(name) for name in of_part], sizes).astype(np.int64),
        repeats=np.full(count, -1),
        copies=np.ones(count, np.int32),
        together=np.arange(count),
    )


def drop_documents(
    table: Table,
    recipe: CorpusRecipe,
    forgotten: list[str],
    near: NearGroups | None,
    given: np.ndarray | None,
    read: Path,
    groups: np.ndarray | None = None,
) -> None:
    """Decide on whole documents, and on what belongs together.

    given: (N,) the share of an evaluation item that each holds, None where there is none. Of
    documents with one content or address the first that is kept so far stays. groups: (N,) what
    stays on one side, "" for what stands alone.
    """
    places = np.arange(len(table.hashes))
    table.reasons[table.hashes == _NOTHING] = EMPTY  # whatever a rule said of it
    table.drop(np.isin(table.hashes, np.array(forgotten, "S32")), FORGOTTEN)
    first = _firsts(table.hashes, table.kept)
    again = table.drop(first != places, EXACT)
    table.repeats[again], table.details[again] = first[again], 1.0
    share = np.zeros(len(places)) if given is None else given
    leaks = table.drop((share > 0) | (near.leaks if near else False), CONTAMINATED)
    table.details[leaks] = np.where(share > 0, share, np.nan)[leaks]
    links = [np.zeros((0, 2), np.int64)]
    if recipe.urls:
        urls = _urls(read)
        first = _firsts(urls, table.kept & (urls != ""))
        again = table.drop(first != places, URL)
        table.repeats[again] = first[again]
    if groups is not None:
        held = np.flatnonzero(groups != "")
        links.append(np.stack([_firsts(groups, groups != "")[held], held], 1))
    if near is not None:
        links.append(np.stack([places, near.first], 1))
        if recipe.near_mode == "drop":
            again = table.drop(near.first != places, NEAR)
            table.repeats[again] = near.first[again]
            table.details[again] = near.likeness[again]
    table.together = components(len(places), np.concatenate(links))


def drop_repetitive(table: Table, gone: list[Gone], most: float) -> None:
    """Drop documents of which too much would go."""
    shares = np.concatenate([part.shares for part in gone])
    which = table.drop(shares >= most, REPETITIVE)
    table.details[which] = shares[which]


def mix(table: Table, recipe: CorpusRecipe) -> None:
    """Decide how often each kept document is seen; those that never are leave the corpus."""
    kept = np.flatnonzero(table.kept)
    if not len(kept):
        return
    keys = np.array([int(table.hashes[i][:16], 16) for i in kept], np.uint64)
    tokens = None if table.tokens is None else table.tokens[kept]
    documents = Documents(table.bytes[kept], tokens, table.sources[kept], table.names, keys)
    table.copies[kept] = copies_of(documents, recipe)
    table.drop(table.copies == 0, MIXTURE)


def _firsts(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    """(N,) for each of `which` the first of them with an equal value; others: themselves."""
    places = np.arange(len(values))
    chosen = np.flatnonzero(which)
    if len(chosen):
        _, first, group = np.unique(values[chosen], return_index=True, return_inverse=True)
        places[chosen] = chosen[first[group]]
    return places


def _urls(read: Path) -> np.ndarray:
    """(N,) of all documents: the plain address, "" for none."""
    urls = []
    for part in parts(read):
        for row in read_parquet(part, ["metadata"])["metadata"].to_pylist():
            url = json.loads(row).get("url")
            urls.append((plain_url(url) or "") if isinstance(url, str) else "")
    return np.array(urls, object)
