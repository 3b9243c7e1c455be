"""Build a corpus: read, drop duplicates, store, split, and write down what happened.

`Corpus` is what the rest of the house reads. Knows the steps; each step is its own file.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json, write_text
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.core.stages import run_stage
from hornbook.corpus.accounting import Account
from hornbook.corpus.card import card_text
from hornbook.corpus.documents import Document, Rejection, content_hash
from hornbook.corpus.measures import TextMeasures
from hornbook.corpus.pydocs import read_pydocs
from hornbook.corpus.read import PYTHON_DOCS, find_files, fingerprint, format_of, read_file
from hornbook.corpus.split import Side, Split, choose_sections, choose_split
from hornbook.corpus.store import DocumentWriter, Stored, read_documents, read_tags

VERSION = "corpus-1"
"""Part of the fingerprint: change it when the same sources would give another corpus."""


class BuildConfig(Config):
    """validation_share: of the bytes, held out. validation_most: bytes held out at the most."""

    validation_share: float = 0.05
    validation_most: int = 2 * 2**20


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


def build(
    sources: Sequence[str | Path],
    out: Path,
    config: BuildConfig | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Build the corpus of `sources` into the folder `out`, or reuse it when nothing changed.

    A source is a file, a folder, or `python-docs`. Raises UsageError for what does not exist and
    HornbookError when nothing readable was found, before anything is written.
    """
    config, progress = config or BuildConfig(), progress or Progress()
    paths = [Path(source) for source in sources if not _is_pydocs(source)]
    files, pydocs = find_files(paths), len(paths) < len(sources)
    inputs = {
        "stage": VERSION,
        "sources": fingerprint(files, pydocs),
        "config": config.plain(),
    }
    started = time.perf_counter()
    built = run_stage(out, inputs, lambda aside: _build(files, pydocs, aside, config, progress))
    corpus = Corpus.open(out)
    seconds = time.perf_counter() - started
    progress.say(_summary(corpus, built, seconds))
    return corpus


def _is_pydocs(source: str | Path) -> bool:
    return str(source) == PYTHON_DOCS and not Path(source).exists()


def _build(
    files: Sequence[Path], pydocs: bool, out: Path, config: BuildConfig, progress: Progress
) -> None:
    account, measures = Account(), TextMeasures()
    samples = _store(files, pydocs, out, account, measures, progress)
    account.check()
    if not account.documents_kept:
        raise HornbookError(f"Nothing readable was found: {_reasons(account)}.")
    split = _choose(out, config, measures)
    write_json(out / "split.json", split.plain())
    card = {
        **account.plain(),
        "sources": _sources(files, pydocs),
        "characters": measures.characters,
        "scripts": measures.scripts(),
        "lengths": measures.lengths(),
        "split": _count_sides(out, split),
        "section": split.section,
        "quarantine": samples,
    }
    write_json(out / "card.json", card)
    write_text(out / "card.md", card_text(card))


def _store(
    files: Sequence[Path],
    pydocs: bool,
    out: Path,
    account: Account,
    measures: TextMeasures,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Read everything once: keep, drop or quarantine each record. Returns quarantine samples."""
    writer, first_with = DocumentWriter(out), dict[str, str]()
    samples: list[dict[str, Any]] = []
    with (
        (out / "quarantine.jsonl").open("w", encoding="utf-8") as quarantine,
        (out / "dropped.jsonl").open("w", encoding="utf-8") as dropped,
    ):
        for item in _read_all(files, pydocs, progress):
            if isinstance(item, Rejection):
                account.enter(item.size)
                account.drop(item.reason, item.size)
                row = {"file": item.file, "line": item.line, "reason": item.reason}
                row |= {"detail": item.detail, "bytes": item.size}
                quarantine.write(json.dumps(row, ensure_ascii=False) + "\n")
                samples += [row] if len(samples) < 20 else []
                continue
            size, digest = len(item.text.encode("utf-8")), content_hash(item.text)
            account.enter(size)
            reason = "empty" if not item.text.strip() else "duplicate"
            if reason == "empty" or digest in first_with:
                account.drop(reason, size)
                row = {"id": item.id, "reason": reason, "duplicate_of": first_with.get(digest)}
                dropped.write(json.dumps(row, ensure_ascii=False) + "\n")
                continue
            first_with[digest] = item.id
            account.keep(size)
            measures.add(item.text)
            writer.add(Stored(item, digest, size))
    writer.close()
    return samples


def _read_all(
    files: Sequence[Path], pydocs: bool, progress: Progress
) -> Iterator[Document | Rejection]:
    total = sum(file.stat().st_size for file in files)
    with progress.bar("reading", total, "B") as advance:
        for file in files:
            yield from read_file(file)
            advance(file.stat().st_size)
    if pydocs:
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


def _sources(files: Sequence[Path], pydocs: bool) -> list[dict[str, Any]]:
    """Files and bytes by format."""
    formats: dict[str, dict[str, Any]] = {}
    for file in files:
        row = formats.setdefault(format_of(file), {"files": 0, "bytes": 0})
        row["files"] += 1
        row["bytes"] += file.stat().st_size
    rows = [{"format": name or "no suffix", **row} for name, row in sorted(formats.items())]
    return rows + ([{"format": PYTHON_DOCS, "files": None, "bytes": None}] if pydocs else [])


def _reasons(account: Account) -> str:
    reasons = account.dropped_documents.most_common()
    return ", ".join(f"{count} x {reason}" for reason, count in reasons) or "no text at all"


def _summary(corpus: Corpus, built: bool, seconds: float) -> str:
    documents, size = corpus.facts["documents"], corpus.facts["bytes"]
    verb = f"Read in {seconds:.1f} s" if built else "Reused"
    dropped = ", ".join(f"{n} {reason}" for reason, n in documents["dropped"].items()) or "none"
    return (
        f"{verb}: {documents['kept']:,} of {documents['in']:,} documents kept "
        f"({size['kept'] / 1e6:,.1f} MB; dropped: {dropped}); "
        f"{corpus.bytes('validation') / 1e6:,.2f} MB held out."
    )
