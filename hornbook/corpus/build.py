"""Build a corpus: read, drop duplicates, store, split, and write down what happened.

`Corpus` is what the rest of the house reads. Knows the steps; each step is its own file.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import hash_file, read_json, write_json, write_text
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.core.stages import run_stage
from hornbook.corpus.accounting import Account
from hornbook.corpus.card import card_text
from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.intake import (
    count_written,
    counted,
    keep_first,
    quarantine_samples,
    write_all,
)
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
from hornbook.corpus.split import Side, Split, choose_sections, choose_split, require_text
from hornbook.corpus.store import DOCUMENTS, read_documents, read_tags

VERSION = "corpus-3"
"""Part of the fingerprint: change it when the same sources would give another corpus."""


class BuildConfig(Config):
    """validation_share: of the bytes, held out. validation_most: bytes held out at the most, about.

    text_field: where JSON Lines and tables have their text; None: found by name.
    """

    validation_share: float = Field(default=0.05, ge=0.001, le=0.2)
    validation_most: int = Field(default=2 * 2**20, ge=1)
    text_field: str | None = None


class Corpus:
    """A built corpus. Opened with `open`, made by `build`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fingerprint = stage_fingerprint(folder)
        self.facts: dict[str, Any] = read_json(folder / "card.json")
        self.split = Split.parse(read_json(folder / "split.json"), str(folder / "split.json"))

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Raises HornbookError when the folder is not a finished corpus."""
        if stage_fingerprint(folder) is None or not (folder / "split.json").is_file():
            raise HornbookError(f"{folder} is not a corpus made by `hornbook corpus build`.")
        return cls(folder)

    def documents(self, split: Side | None = None) -> Iterator[Document]:
        """The documents of one side or of both, in stored order, streamed.

        Where documents had to be cut to be split fairly, their sections.
        """
        for document, side in self._parts():
            if split in (None, side):
                yield document

    def texts(self, split: Side | None = None) -> Iterator[str]:
        """Their texts."""
        return (document.text for document in self.documents(split))

    def bytes(self, split: Side) -> int:
        """UTF-8 bytes of one side's text."""
        return int(self.facts["split"][split]["bytes"])

    def count(self, split: Side) -> int:
        """Documents of one side."""
        return int(self.facts["split"][split]["documents"])

    def _parts(self) -> Iterator[tuple[Document, Side]]:
        tags = read_tags(self.folder)
        for document, (digest, _) in zip(read_documents(self.folder), tags, strict=True):
            yield from self.split.parts(document, digest)


class Sources(NamedTuple):
    """What is read: files in order, and Python's documentation or not."""

    files: list[Path]
    pydocs: bool


def build(
    sources: Sequence[str | Path],
    out: Path,
    config: BuildConfig | None = None,
    progress: Progress | None = None,
    place: Path | None = None,
) -> Corpus:
    """Build the corpus of `sources` into the folder `out`, or reuse it when nothing changed.

    A source is a file, a folder, or `python-docs`. place: the folder of all results, whose files
    are not read; `out` if not given. Raises UsageError for what does not exist and
    HornbookError when nothing readable was found, before anything is written.
    """
    config, progress = config or BuildConfig(), progress or Progress()
    started = time.perf_counter()
    found = _find(sources, place or out)
    inputs = {"stage": VERSION, "sources": fingerprint(*found), "config": config.plain()}
    built = run_stage(out, inputs, lambda aside: _build(found, aside, config, progress))
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


def _build(sources: Sources, out: Path, config: BuildConfig, progress: Progress) -> None:
    account = Account()
    read = counted(_read_all(sources, config, progress), account)
    measures = write_all(keep_first(read), out)
    count_written(out, account)
    account.check()
    if not account.documents_kept:
        raise HornbookError(_nothing(account, out))
    require_text(measures.characters)
    split = _choose(out, config, measures)
    write_json(out / "split.json", split.plain())
    sides = _count_sides(out, split)
    if sum(side["bytes"] for side in sides.values()) != account.bytes_kept:
        raise AssertionError(f"the sides hold {sides}, but {account.bytes_kept} bytes were kept")
    card = {
        **account.plain(),
        "sources": _by_format(sources),
        "characters": measures.characters,
        "scripts": measures.scripts(),
        "lengths": measures.lengths(),
        "fields": dict(measures.fields.most_common()),
        "split": sides,
        "section": split.section,
        "quarantine": quarantine_samples(out),
        "checksums": {f.name: hash_file(f) for f in sorted((out / DOCUMENTS).iterdir())},
    }
    write_json(out / "card.json", card)
    write_text(out / "card.md", card_text(card))


def _read_all(
    sources: Sources, config: BuildConfig, progress: Progress
) -> Iterator[Document | Rejection]:
    total = sum(size_of(file) for file in sources.files) / 1e6
    with progress.bar("reading", total, "MB") as advance:
        for file in sources.files:
            yield from read_file(file, config.text_field, lambda size: advance(size / 1e6))
    if sources.pydocs:
        yield from read_pydocs()


def _choose(out: Path, config: BuildConfig, measures: TextMeasures) -> Split:
    hashes, sizes = zip(*read_tags(out), strict=True)
    share, most = config.validation_share, config.validation_most
    return choose_split(hashes, sizes, share, most) or choose_sections(
        read_documents(out), measures.characters, share, most
    )


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


def _nothing(account: Account, out: Path) -> str:
    """What was found instead of text, with the first example."""
    counts = account.dropped_documents.most_common()
    reasons = ", ".join(f"{count:,} x {reason}" for reason, count in counts) or "no record at all"
    example = next(iter(quarantine_samples(out, 1)), None)
    if example is None:
        return f"Nothing readable was found: {reasons}."
    line = f", line {example['line']}" if example["line"] else ""
    return (
        f"Nothing readable was found: {reasons}. "
        f"The first: {example['file']}{line}: {example['reason']} ({example['detail']})."
    )


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
