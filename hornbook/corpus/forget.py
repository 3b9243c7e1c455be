"""Take a document out of a built corpus, and keep it out when the corpus is built again.

What is remembered is the hash of its content; the sources are not touched.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hornbook.core.claims import Claim, marker_of
from hornbook.core.errors import UsageError, nearest
from hornbook.core.files import hash_json, read_json
from hornbook.core.folders import atomic_folder
from hornbook.core.lines import lines_of
from hornbook.corpus.card import card_text
from hornbook.corpus.card_facts import sides_of
from hornbook.corpus.corpus import MAKER, Corpus
from hornbook.corpus.document_files import (
    ATTRIBUTES,
    DOCUMENTS,
    TAGS,
    checksums,
    parts,
    read_parquet,
    row_groups,
)
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.select import DROPPED, FORGOTTEN

TRACED = "traced"
"""The folder in a corpus in which all places of its text are sorted."""
_MADE_OF_IT = ("shards", TRACED, "card.html")
"""What holds the text in another form: tokens, what finds it, and a page that is written again."""
FORGOTTEN_FILE = "forgotten.json"


def forgotten(folder: Path) -> list[str]:
    """Hashes of the contents that a corpus has forgotten, sorted."""
    return sorted({row["hash"] for row in _history(folder)})


def forget_document(folder: Path, id: str, write_page: Callable[[Path], None]) -> dict[str, Any]:
    """Rewrite the corpus without the document and without what repeated it.

    Returns {id, bytes, side, was, together}: `was` are the fingerprints that the corpus had while
    it held the document; together the kept documents that share its side, as near copies do.
    write_page: writes the page of a folder's card. Raises UsageError for an id that is not kept. A
    crash leaves the corpus as it was, or as it is to be.
    """
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    corpus = Corpus.open(folder)
    part, row = _find(corpus, id)
    history = [*_history(folder), {"id": id, "hash": row["hash"], "was": corpus.fingerprint}]
    marker = marker_of(folder) or {}
    inputs = {**marker["inputs"], "forgotten": sorted({past["hash"] for past in history})}
    facts = {"of": marker.get("of"), "fingerprint": hash_json(inputs), "inputs": inputs}
    with atomic_folder(folder, Claim(MAKER), facts) as aside:
        _link_all(folder, aside, marker["files"])
        for name in (DOCUMENTS, ATTRIBUTES, TAGS):
            table = read_parquet(folder / name / part)
            left = table.filter(compute.not_equal(table["id"], id))
            (aside / name / part).unlink()
            if left.num_rows:
                parquet.write_table(left, aside / name / part, compression="zstd")
        _forget_copies(aside, part, row)
        _replace(aside / FORGOTTEN_FILE, _json(history))
        card = _card(corpus, aside, row)
        _replace(aside / "card.json", _json(card))
        _replace(aside / "card.md", card_text(card))
        write_page(aside)
    return {
        "id": id,
        "bytes": row["bytes"],
        "side": "by section" if corpus.split.section else corpus.split.side(row["split"]),
        "was": [past["was"] for past in history],
        "together": _together(folder, row["split"]),
    }


def _history(folder: Path) -> list[dict[str, str]]:
    path = folder / FORGOTTEN_FILE
    return list(read_json(path)) if path.is_file() else []


def _find(corpus: Corpus, id: str) -> tuple[str, dict[str, Any]]:
    """The part that holds the document, and its row of tags with its language."""
    known: list[str] = []
    for part in parts(corpus.folder):
        table = read_parquet(corpus.folder / ATTRIBUTES / part.name)
        ids = table["id"].to_pylist()
        if id in ids:
            row = table.slice(ids.index(id), 1).to_pylist()[0]
            tags = read_parquet(corpus.folder / TAGS / part.name, ["language"])
            return part.name, {**row, "language": tags["language"][ids.index(id)].as_py()}
        known += ids
    if corpus.facts["documents"]["kept"] == 1:
        raise UsageError(f"{id!r} is the only document of {corpus.folder}; delete the folder.")
    raise UsageError(f"{corpus.folder} holds no document {id!r}. {nearest(id, known, most=3)}")


def _forget_copies(aside: Path, part: str, row: dict[str, Any]) -> None:
    """List the document with the dropped, and show nothing of what was dropped as a copy of it."""
    for path in sorted((aside / DROPPED).glob("*.jsonl")):
        rows = [json.loads(line) for line in lines_of(path.read_text(encoding="utf-8"))]
        copies = [other for other in rows if other["duplicate_of"] == row["id"]]
        for other in copies:
            other["text"] = ""
        own = path.stem == Path(part).stem
        if own:
            nothing = {"detail": None, "duplicate_of": None, "source": row["source"], "text": ""}
            rows.append({"id": row["id"], "reason": FORGOTTEN, "bytes": row["bytes"], **nothing})
        if copies or own:
            _replace(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))


def _card(corpus: Corpus, aside: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The card's facts without the document; what hangs on text is counted again."""
    card: dict[str, Any] = json.loads(json.dumps(corpus.facts))
    for unit, amount in (("documents", 1), ("bytes", row["bytes"]), ("tokens", row["tokens"])):
        if unit in card:
            card[unit]["kept"] -= amount
            dropped = card[unit]["dropped"]
            dropped[FORGOTTEN] = dropped.get(FORGOTTEN, 0) + amount
    for source in card["mixture"]:
        if source["name"] == row["source"]:
            source["documents"]["kept"] -= 1
            for unit in ("bytes", "tokens"):
                if unit in source:
                    source[unit]["kept"] -= row[unit]
                    source[unit]["mixture"] -= row[unit] * row["copies"]
    for language in card["languages"]:
        if language["language"] == row["language"]:
            language["kept"] -= 1
            for unit in ("bytes", "tokens"):
                if unit in language:
                    language[unit] -= row[unit]
    measures = TextMeasures()
    for part in parts(aside):
        for table in row_groups(part, ["text", "metadata"]):
            measures.add(table["text"], table["metadata"])
    card |= measures.facts()
    card["split"], card["one_pass"] = sides_of(aside, corpus.split)
    samples = [card["samples"]["kept"], *card["samples"]["dropped"].values()]
    for few in samples:
        few[:] = [s for s in few if row["id"] not in (s["id"], s.get("duplicate_of"))]
    return {**card, "checksums": checksums(aside)}


def _together(folder: Path, split: str) -> list[str]:
    """Kept documents that share a side for the same reason."""
    found: list[str] = []
    for part in parts(folder):
        table = read_parquet(folder / ATTRIBUTES / part.name, ["id", "split"])
        pairs = zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True)
        found += [id for id, other in pairs if other == split]
    return found


def _replace(path: Path, text: str) -> None:
    """Write anew: the old file may be linked to by the corpus as it was."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _link_all(folder: Path, aside: Path, files: Mapping[str, Any]) -> None:
    """The same files in another folder: linked, not copied. What was made of the corpus stays."""
    for name, facts in files.items():
        if facts is None or PurePosixPath(name).parts[0] in _MADE_OF_IT:
            continue
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / name, aside / name)
        except OSError:  # some disks have no links
            shutil.copy2(folder / name, aside / name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
