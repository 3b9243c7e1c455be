"""Build a corpus in stages: read, tag, find near duplicates, select, and write down what happened.

Each stage is a folder that is reused when nothing of its inputs changed. Knows the steps; each step
is its own file.
"""

import contextlib
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import atomic_file, hash_file, read_json, write_json, write_text
from hornbook.core.pool import parallel
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.core.stages import run_stage
from hornbook.corpus.accounting import Account
from hornbook.corpus.card import card_text
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.duplicates import SignTask, find_near
from hornbook.corpus.intake import BOOKS, QUARANTINE, quarantine_samples, quarantined, take_in
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.pydocs import read_pydocs
from hornbook.corpus.read import (
    PYTHON_DOCS,
    find_files,
    fingerprint,
    format_of,
    read_file,
    size_of,
)
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.select import Selected, SelectTask, select_part
from hornbook.corpus.split import Split, choose_sections, choose_split, require_text
from hornbook.corpus.store import DOCUMENTS, parts, read_documents, read_tags
from hornbook.corpus.tag import TagTask, tag_part
from hornbook.corpus.verdicts import verdicts

VERSIONS = {"read": "read-1", "tags": "tags-2", "near": "near-1", "corpus": "corpus-5"}
"""Parts of the stages' fingerprints: change one when the same inputs would give something else."""
HITS = "hits.json"
KEY = "pseudonyms.key"


class Sources(NamedTuple):
    """What is read: files in order, and Python's documentation or not."""

    files: list[Path]
    pydocs: bool


class Stages(NamedTuple):
    """The folders of finished stages, hidden beside the corpus; they may be deleted."""

    read: Path
    tags: Path
    near: Path
    key: Path

    @classmethod
    def beside(cls, out: Path) -> "Stages":
        root = out.with_name(f".{out.name}.stages")
        return cls(*(root / name for name in ("read", "tags", "near", KEY)))


def build(
    sources: Sequence[str | Path],
    out: Path,
    recipe: CorpusRecipe | None = None,
    progress: Progress | None = None,
    place: Path | None = None,
) -> Corpus:
    """Build the corpus of `sources` into the folder `out`, or reuse it when nothing changed.

    A source is a file, a folder, or `python-docs`. place: the folder of all results, whose files
    are not read; `out` if not given. Raises UsageError for what does not exist and
    HornbookError when nothing readable was found; an older corpus in `out` stays until then.
    """
    recipe, progress = recipe or CorpusRecipe(), progress or Progress()
    recipe.check()
    started = time.perf_counter()
    found, stages = _find(sources, place or out), Stages.beside(out)
    inputs = {"stage": VERSIONS, "sources": fingerprint(*found), "recipe": recipe.plain()}
    try:
        built = run_stage(out, inputs, lambda aside: _build(found, stages, aside, recipe, progress))
    finally:
        with contextlib.suppress(OSError):
            stages.read.parent.rmdir()  # only when no stage was finished
    corpus = Corpus.open(out)
    progress.say(_summary(corpus, built, time.perf_counter() - started))
    return corpus


def _find(sources: Sequence[str | Path], place: Path) -> Sources:
    """The files of the sources without those of earlier results in `place`."""
    paths = [Path(source) for source in sources if not _is_pydocs(source)]
    folder = place.resolve()
    inside = [path for path in paths if path.resolve().is_relative_to(folder)]
    if inside:
        raise UsageError(
            f"{inside[0]} lies in {place}, where the results go; choose another --out."
        )
    files = [file for file in find_files(paths) if not file.resolve().is_relative_to(folder)]
    return Sources(files, len(paths) < len(sources))


def _is_pydocs(source: str | Path) -> bool:
    return str(source) == PYTHON_DOCS and not Path(source).exists()


def _build(
    sources: Sources, stages: Stages, out: Path, recipe: CorpusRecipe, progress: Progress
) -> None:
    """Run the stages that are not there yet, then write the corpus into `out`."""
    _read(sources, stages.read, recipe, progress)
    books = read_json(stages.read / BOOKS)
    if not parts(stages.read):
        raise HornbookError(_nothing(books, stages.read))
    _tag(stages, recipe, progress)
    near = None if recipe.near_mode == "ignore" else stages.near
    if near:
        _find_near(stages, recipe, progress)
    selected = _select(stages, near, out, recipe, progress)
    account = _accounts(books, stages.read, selected)
    if not selected.documents[""]:
        raise HornbookError(_all_dropped(selected))
    require_text(selected.measures.characters)
    split = _choose(out, recipe, selected.measures)
    write_json(out / "split.json", split.plain())
    sides = _count_sides(out, split)
    if sum(side["bytes"] for side in sides.values()) != selected.written:
        raise AssertionError(f"the sides hold {sides}, but {selected.written} bytes were written")
    hits = read_json(stages.tags / HITS)
    for kind, found in hits.items():
        if found["judged"] and not found["hits"]:
            progress.say(f"  The rule {kind} hit none of {found['judged']:,} documents.")
    card = {
        **account.plain(),
        "sources": _by_format(sources),
        "characters": selected.measures.characters,
        "scripts": selected.measures.scripts(),
        "lengths": selected.measures.lengths(),
        "fields": dict(selected.measures.fields.most_common()),
        "languages": _languages(stages),
        "rules": hits,
        "pii": dict(sorted(selected.pii.items())),
        "near_mode": recipe.near_mode,
        "split": sides,
        "section": split.section,
        "quarantine": quarantine_samples(stages.read),
        "checksums": {f.name: hash_file(f) for f in sorted((out / DOCUMENTS).iterdir())},
    }
    shutil.copyfile(stages.read / QUARANTINE, out / QUARANTINE)
    write_json(out / "card.json", card)
    write_text(out / "card.md", card_text(card))


def _read(sources: Sources, folder: Path, recipe: CorpusRecipe, progress: Progress) -> None:
    inputs = {
        "stage": VERSIONS["read"],
        "sources": fingerprint(*sources),
        "text_field": recipe.text_field,
        "strict": recipe.strict,
    }

    def work(aside: Path) -> None:
        read = _read_all(sources, recipe.text_field, progress)
        take_in(_strictly(read) if recipe.strict else read, aside)

    run_stage(folder, inputs, work)


def _strictly(items: Iterator[Document | Rejection]) -> Iterator[Document | Rejection]:
    """The same items; raises HornbookError at the first record that cannot be read."""
    for item in items:
        if isinstance(item, Rejection):
            line = "" if item.line is None else f", line {item.line}"
            raise HornbookError(f"{item.file}{line}: {item.reason} ({item.detail}).")
        yield item


def _tag(stages: Stages, recipe: CorpusRecipe, progress: Progress) -> None:
    read = stage_fingerprint(stages.read)
    chosen = {"languages": recipe.languages, "rules": recipe.rules}
    inputs = {"stage": VERSIONS["tags"], "read": read, **chosen}
    files = parts(stages.read)

    def work(aside: Path) -> None:
        tasks = [TagTask(f, aside / f.name, recipe.languages, recipe.rules) for f in files]
        hits: dict[str, Counter[str]] = {kind: Counter() for kind in recipe.rules}
        with progress.bar("tagging", len(tasks), "parts") as advance:
            for found in parallel(tag_part, tasks):
                for kind, counts in found.items():
                    hits[kind].update(counts)
                advance(1)
        write_json(aside / HITS, hits)

    run_stage(stages.tags, inputs, work)


def _find_near(stages: Stages, recipe: CorpusRecipe, progress: Progress) -> None:
    tags = stage_fingerprint(stages.tags)
    inputs = {"stage": VERSIONS["near"], "tags": tags, "near": recipe.near.plain()}
    tasks = [SignTask(f, stages.tags / f.name, recipe.near) for f in parts(stages.read)]
    run_stage(stages.near, inputs, lambda aside: find_near(tasks, aside, recipe.near))


def _select(
    stages: Stages, near: Path | None, out: Path, recipe: CorpusRecipe, progress: Progress
) -> Selected:
    """Write the kept documents; returns the books of all parts."""
    files, key = parts(stages.read), _key(stages.key) if recipe.pii else b""
    judged = verdicts(stages.read, stages.tags, near, recipe)
    tasks = [SelectTask(f, v, out, recipe.pii, key) for f, v in zip(files, judged, strict=True)]
    books = Selected()
    with progress.bar("selecting", len(tasks), "parts") as advance:
        for found in parallel(select_part, tasks):
            books.add(found)
            advance(1)
    return books


def _key(path: Path) -> bytes:
    """The secret that pseudonyms hang on, made once: a corpus that goes on keeps its pseudonyms."""
    if not path.is_file():
        with atomic_file(path) as aside:
            aside.touch(0o600)
            aside.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def _accounts(books: dict[str, Any], read: Path, selected: Selected) -> Account:
    """in = kept + dropped of the last stage, with what the first could not read; checked."""
    account = Account()
    account.documents_in, account.bytes_in = books["documents"]["in"], books["bytes"]["in"]
    for reason, count in selected.documents.items():
        if reason:
            account.dropped_documents[reason] += count
            account.dropped_bytes[reason] += selected.bytes[reason]
        else:
            account.documents_kept, account.bytes_kept = count, selected.bytes[reason]
    for row in quarantined(read):
        account.drop(row["reason"], row["bytes"])
    account.check()
    return account


def _languages(stages: Stages) -> list[dict[str, Any]]:
    """Read documents and those that no tag dropped, by language, the most frequent first."""
    import pyarrow.parquet as parquet

    read, kept = Counter[str](), Counter[str]()
    for part in parts(stages.read):
        table = parquet.read_table(stages.tags / part.name, columns=["language", "reason"])
        codes = table["language"].to_pylist()
        read.update(codes)
        reasons = table["reason"].to_pylist()
        kept.update(c for c, reason in zip(codes, reasons, strict=True) if not reason)
    return [
        {"language": code, "read": count, "kept_by_tags": kept[code]}
        for code, count in read.most_common()
    ]


def _choose(out: Path, recipe: CorpusRecipe, measures: TextMeasures) -> Split:
    """By whole documents, or else by sections. Raises HornbookError when groups allow neither."""
    hashes, sizes = zip(*read_tags(out), strict=True)
    share, most = recipe.validation_share, recipe.validation_most
    if split := choose_split(hashes, sizes, share, most):
        return split
    if recipe.group:
        raise HornbookError(
            f"The groups of {recipe.group!r} are too few or too large to hold a part of about "
            f"{share:.0%} out whole; give more of them, or leave --group out."
        )
    return choose_sections(read_documents(out), measures.characters, share, most)


def _read_all(
    sources: Sources, text_field: str | None, progress: Progress
) -> Iterator[Document | Rejection]:
    total = sum(size_of(file) for file in sources.files) / 1e6
    with progress.bar("reading", total, "MB") as advance:
        for file in sources.files:
            yield from read_file(file, text_field, lambda size: advance(size / 1e6))
    if sources.pydocs:
        yield from read_pydocs()


def _count_sides(out: Path, split: Split) -> dict[str, dict[str, int]]:
    """Documents and bytes of each side, counted from what was stored."""
    sides = {side: {"documents": 0, "bytes": 0} for side in ("train", "validation")}
    tags = read_tags(out)
    for document, (digest, _) in zip(read_documents(out), tags, strict=True):
        for part, side in split.parts(document, digest):
            sides[side]["documents"] += 1
            sides[side]["bytes"] += len(part.text.encode("utf-8"))
    return sides


def _by_format(sources: Sources) -> list[dict[str, Any]]:
    """Files and bytes by format."""
    files, sizes = Counter[str](), Counter[str]()
    for file in sources.files:
        files[format_of(file)] += 1
        sizes[format_of(file)] += size_of(file)
    rows: list[dict[str, Any]] = [
        {"format": name or "no suffix", "files": files[name], "bytes": sizes[name]}
        for name in sorted(files)
    ]
    return rows + ([{"format": PYTHON_DOCS, "files": None, "bytes": None}] * sources.pydocs)


def _nothing(books: dict[str, Any], folder: Path) -> str:
    """What was found instead of text, with the first example."""
    counts = books["documents"]["dropped"].items()
    reasons = ", ".join(f"{count:,} x {reason}" for reason, count in counts) or "no record at all"
    example = next(iter(quarantine_samples(folder, 1)), None)
    if example is None:
        return f"Nothing readable was found: {reasons}."
    line = f", line {example['line']}" if example["line"] else ""
    return (
        f"Nothing readable was found: {reasons}. "
        f"The first: {example['file']}{line}: {example['reason']} ({example['detail']})."
    )


def _all_dropped(selected: Selected) -> str:
    reasons = ", ".join(f"{n:,} x {reason}" for reason, n in selected.documents.most_common())
    return f"Nothing of the text was kept: {reasons}."


def _summary(corpus: Corpus, built: bool, seconds: float) -> str:
    documents, size = corpus.facts["documents"], corpus.facts["bytes"]
    verb = f"Read in {seconds:.1f} s" if built else "Reused"
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in documents["dropped"].items()) or "none"
    fields = ", ".join(f"{name} ({n:,})" for name, n in corpus.facts["fields"].items())
    return (
        f"{verb}: {documents['kept']:,} of {documents['in']:,} documents kept "
        f"({size['kept'] / 1e6:,.1f} MB; dropped: {dropped}); "
        f"{corpus.bytes('validation') / 1e6:,.2f} MB held out."
        + (f" Text taken from the field {fields}." if fields else "")
    )
