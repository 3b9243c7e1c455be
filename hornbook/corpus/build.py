"""Build a corpus: read, tag, find what repeats, decide, select, and write down what happened.

Stages are reused when nothing of their inputs changed.
"""

import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.claims import MARKER, Claim, beside
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import atomic_file, hash_json, read_json, write_json, write_text
from hornbook.core.folders import check_place
from hornbook.core.pool import Local, Runner
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.corpus.card import card_text
from hornbook.corpus.card_facts import (
    account_of,
    decontamination_of,
    duplicates_of,
    languages_of,
    mixture_of,
    recall_of,
    samples_of,
    sides_of,
    token_books,
)
from hornbook.corpus.corpus import MAKER, Corpus
from hornbook.corpus.decontaminate import evaluation_files
from hornbook.corpus.document_files import checksums, read_documents, text_batches
from hornbook.corpus.forget import FORGOTTEN_FILE, forgotten
from hornbook.corpus.groups import read_groups
from hornbook.corpus.ingest import BOOKS, QUARANTINE, quarantine_samples
from hornbook.corpus.nothing import require_left, require_read, require_text
from hornbook.corpus.paragraphs import Gone, ParagraphTask, find_gone, without
from hornbook.corpus.pii import Pseudonyms
from hornbook.corpus.pipeline import HITS, Pipeline, Sources, Tokens
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.select import Selected, SelectTask, select_part
from hornbook.corpus.split import Split, choose_sections, choose_split
from hornbook.corpus.verdicts import Table, drop_documents, drop_repetitive, mix, read_table
from hornbook.read.locations import is_local, lies_in, local_path
from hornbook.read.remote import clean
from hornbook.read.sources import PYTHON_DOCS, find_files, format_of, size_of

VERSION = "corpus-8"
"""A part of the corpus' fingerprint: changed when the same inputs would give something else."""
UNITS = ("documents", "bytes", "tokens")
"""What books are kept of; tokens where they were counted."""
KEY = "pseudonyms.key"
TOKENIZER = "tokenizer"
_SAMPLE = 32 * 2**20
"""Bytes of text that a new tokenizer is shown, about."""


def build(
    sources: Sequence[str | Path],
    out: Path,
    recipe: CorpusRecipe | None = None,
    progress: Progress | None = None,
    place: Path | None = None,
    runner: Runner | None = None,
    tokens: Tokens | None = None,
    finish: Callable[[Corpus], None] | None = None,
) -> Corpus:
    """Build the corpus of `sources` into the folder `out`, or reuse it when nothing changed.

    A source is a file, a folder, or `python-docs`. place: the folder of all results, whose files
    are not read; `out` if not given. runner: where the work is done, processes of this machine if
    not given. tokens: by what they are counted, None to count none. finish: what else is to be made
    of the corpus before it takes its place. Raises UsageError for what does not exist or needs
    tokens, and HornbookError when nothing readable was found; an older corpus in `out` stays until
    then.
    """
    recipe, progress = recipe or CorpusRecipe(), progress or Progress()
    recipe.check()
    claim = claim_of(sources)
    check_place(out, claim)
    if recipe.budget_tokens and tokens is None:
        raise UsageError("budget_tokens needs a tokenizer to count with.")
    started = time.perf_counter()
    found = _find(sources, place or out, recipe, progress)
    pipeline = Pipeline(stages_of(out), found, recipe, runner or Local(), progress)
    inputs = {
        "stage": VERSION,
        "sources": pipeline.source_prints,
        "against": pipeline.against_prints,
        "rule_files": pipeline.rule_prints,
        "recipe": recipe.plain(),
        "tokens": tokens.inputs if tokens else None,
        "forgotten": forgotten(out),
    }

    def make(aside: Path) -> None:
        _build(pipeline, out, aside, tokens)
        if finish:
            finish(Corpus(aside, hash_json(inputs)))

    try:
        built = run_stage(out, claim, inputs, make)
    finally:
        pipeline.discard()
    corpus = Corpus.open(out)
    progress.say(*_summary(corpus, built, time.perf_counter() - started))
    return corpus


def claim_of(sources: Sequence[str | Path]) -> Claim:
    """Who writes a corpus of these sources."""
    return Claim(MAKER, places_of(sources))


def places_of(sources: Sequence[str | Path]) -> tuple[Path | str, ...]:
    """Sources as a claim has them: what lies on this machine by its place, others by name."""
    return tuple(
        clean(str(source)) if _is_pydocs(source) or not is_local(source) else local_path(source)
        for source in sources
    )


def stages_of(out: Path) -> Path:
    """The folder of a corpus' stages, hidden beside it; it may be deleted."""
    return beside(out, ".", ".stages")


def _find(
    sources: Sequence[str | Path], place: Path, recipe: CorpusRecipe, progress: Progress
) -> Sources:
    """The files of the sources without those of earlier results in `place`."""
    wanted = [source for source in sources if not _is_pydocs(source)]
    for source in wanted:
        if lies_in(source, place):
            raise UsageError(
                f"{source} lies in {place}, where the results go; choose another --out."
            )

    def pass_over(folder: Path) -> None:
        progress.say(f"Left out: {folder}, which Hornbook wrote.")

    files = [file for file in find_files(wanted, pass_over) if not lies_in(file, place)]
    return Sources(files, len(wanted) < len(sources), evaluation_files(recipe.against))


def _is_pydocs(source: str | Path) -> bool:
    return str(source) == PYTHON_DOCS and not Path(source).exists()


def _build(pipeline: Pipeline, out: Path, aside: Path, tokens: Tokens | None) -> None:
    """Run the stages that are not there yet, then write the corpus into `aside`."""
    recipe, progress = pipeline.recipe, pipeline.progress
    pipeline.run_read()
    books = read_json(pipeline.read / BOOKS)
    require_read(pipeline.files, books, pipeline.read)
    groups = read_groups(pipeline.read, recipe.group) if recipe.group else None
    if groups and (missing := groups.said()):
        progress.say(f"  {missing}")
    pipeline.run_tags()
    near, overlap = pipeline.run_near(), pipeline.run_overlap()
    table = read_table(pipeline.read, pipeline.tags, pipeline.source_of)
    given = overlap[0] if overlap else None
    keys = groups.keys if groups else None
    drop_documents(table, recipe, forgotten(out), near, given, pipeline.read, keys)
    gone = _paragraphs(pipeline, table)
    require_left(table, books, recipe)
    key = _key(pipeline.root / KEY) if recipe.pii else b""
    facts: dict[str, Any] = {}
    if tokens:
        sample, size = _sample(table, _choose(table, recipe))
        texts = _kept_texts(pipeline, table, gone, sample, key)
        count = tokens(texts, size, pipeline.root / TOKENIZER)
        table.tokens = pipeline.run_tokens(count)
        facts["tokenizer"] = count.facts
        if count.folder:
            (aside / TOKENIZER).mkdir()
            for file in count.folder.iterdir():
                if file.name != MARKER:
                    shutil.copyfile(file, aside / TOKENIZER / file.name)
    mix(table, recipe)
    require_left(table, books, recipe)
    split = _choose(table, recipe)  # of what the mixture has: it may have left held-out text out
    selected = _select(pipeline, table, gone, aside, key)
    require_text(table, books, recipe, selected.measures.characters)
    if split is None:
        split = choose_sections(
            read_documents(aside),
            selected.measures.characters,
            recipe.validation_share,
            recipe.validation_most,
        )
    write_json(aside / "split.json", split.plain())
    account = account_of(books, pipeline.read, selected)
    if tokens:
        facts["tokens"] = token_books(table)
    facts |= {
        "mixture": mixture_of(table, recipe),
        "languages": languages_of(table),
        "duplicates": duplicates_of(table, near, gone),
    }
    if found := decontamination_of(table, pipeline.items, overlap[1] if overlap else None):
        facts["decontamination"] = found
    card = {**account.plain(), **facts, **_written(pipeline, aside, selected, split)}
    shutil.copyfile(pipeline.read / QUARANTINE, aside / QUARANTINE)
    if (out / FORGOTTEN_FILE).is_file():
        shutil.copyfile(out / FORGOTTEN_FILE, aside / FORGOTTEN_FILE)
    write_json(aside / "card.json", card)
    write_text(aside / "card.md", card_text(card))
    for warning in card["warnings"]:
        progress.say(f"  {warning}")


def _written(pipeline: Pipeline, aside: Path, selected: Selected, split: Split) -> dict[str, Any]:
    """The facts that are counted from what was written."""
    sides, one_pass = sides_of(aside, split)
    if sum(side["bytes"] for side in sides.values()) != selected.written:
        raise AssertionError(f"the sides hold {sides}, but {selected.written} bytes were written")
    hits = read_json(pipeline.tags / HITS)
    return {
        "sources": _by_format(pipeline.sources),
        **selected.measures.facts(),
        "rules": hits,
        "pii": dict(sorted(selected.pii.items())),
        **({"pii_recall": recall_of(pipeline.recipe.pii)} if pipeline.recipe.pii else {}),
        "near_mode": pipeline.recipe.near_mode,
        "split": sides,
        "one_pass": one_pass,
        "section": split.section,
        "samples": samples_of(aside),
        "quarantine": quarantine_samples(pipeline.read),
        "warnings": [
            f"The rule {kind} hit none of {found['judged']:,} documents."
            for kind, found in hits.items()
            if found["judged"] and not found["hits"]
        ],
        "checksums": checksums(aside),
    }


def _paragraphs(pipeline: Pipeline, table: Table) -> list[Gone]:
    """What goes of kept documents; those of which too much would go are dropped."""
    recipe = pipeline.recipe
    if recipe.paragraphs is None and not recipe.paragraph_languages:
        return []
    least = recipe.paragraphs.least_bytes if recipe.paragraphs else None
    languages = recipe.languages if recipe.paragraph_languages else None
    kept = table.kept
    parts = zip(pipeline.files, table.parts(), strict=True)
    tasks = [ParagraphTask(file, kept[part], least, languages) for file, part in parts]
    gone = find_gone(tasks, pipeline.runner)
    drop_repetitive(table, gone, recipe.paragraphs.most if recipe.paragraphs else 1.0)
    return gone


def _choose(table: Table, recipe: CorpusRecipe) -> Split | None:
    """By whole documents, or None for sections. Raises HornbookError when groups allow neither."""
    kept = np.flatnonzero(table.kept)
    hashes = [digest.decode() for digest in table.hashes[table.together[kept]].tolist()]
    share, most = recipe.validation_share, recipe.validation_most
    split = choose_split(hashes, table.bytes[kept].tolist(), share, most)
    if split is None and recipe.group and len(kept):
        raise HornbookError(
            f"The groups of {recipe.group!r} are too few or too large to hold a part of about "
            f"{share:.0%} out whole; give more of them, or leave --group out."
        )
    return split


def _sample(table: Table, split: Split | None) -> tuple[np.ndarray, int]:
    """(N,) bool: kept documents to train a tokenizer on, and their bytes; none is held out.

    Those are taken first that are the last to be held out, whatever a mixture leaves out.
    """
    chosen = table.kept
    if split:
        sides = np.array(split.threshold.encode(), "S32")
        chosen = chosen & (table.hashes[table.together] >= sides)
    places = np.flatnonzero(chosen)
    order = places[np.argsort(table.hashes[places], kind="stable")[::-1]]
    some = order[: max(1, int((np.cumsum(table.bytes[order]) <= _SAMPLE).sum()))]
    sample = np.zeros(len(chosen), bool)
    sample[some] = True
    return sample, int(table.bytes[sample].sum())


def _kept_texts(
    pipeline: Pipeline, table: Table, gone: list[Gone], chosen: np.ndarray, key: bytes
) -> Iterator[str]:
    """The texts of chosen documents as they will be stored."""
    pseudonyms = Pseudonyms(key, pipeline.recipe.pii) if key else None
    for number, (file, part) in enumerate(zip(pipeline.files, table.parts(), strict=True)):
        place = part.start
        for _, texts in text_batches(file, 2**22):
            for text in texts:
                if chosen[place]:
                    if gone and (taken := gone[number].reasons.get(place - part.start)):
                        text, _ = without(text, taken)
                    yield pseudonyms.replace(text)[0] if pseudonyms else text
                place += 1


def _select(pipeline: Pipeline, table: Table, gone: list[Gone], out: Path, key: bytes) -> Selected:
    """Write the kept documents; returns the books of all parts."""
    tasks = [
        SelectTask(
            file,
            pipeline.tags / file.name,
            table.verdicts(part, gone[i] if gone else None),
            out,
            pipeline.recipe.pii,
            key,
        )
        for i, (file, part) in enumerate(zip(pipeline.files, table.parts(), strict=True))
    ]
    books = Selected()
    with pipeline.progress.bar("selecting", len(tasks), "parts") as advance:
        for found in pipeline.runner.map(select_part, tasks):
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


def _summary(corpus: Corpus, built: bool, seconds: float) -> list[str]:
    """Lines for people about a corpus."""
    documents, size = corpus.facts["documents"], corpus.facts["bytes"]
    verb = f"Read in {seconds:.1f} s" if built else "Reused"
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in documents["dropped"].items()) or "none"
    fields = ", ".join(f"{name} ({n:,})" for name, n in corpus.facts["fields"].items())
    return [
        f"{verb}: {documents['kept']:,} of {documents['in']:,} documents kept "
        f"({size['kept'] / 1e6:,.1f} MB; dropped: {dropped}); "
        f"{corpus.bytes('validation') / 1e6:,.2f} MB held out.",
        *(_balance(corpus.facts, unit) for unit in UNITS if unit in corpus.facts),
        *([f"  Text taken from the field {fields}."] if fields else []),
    ]


def _balance(facts: dict[str, Any], unit: str) -> str:
    """What came in of a unit is what was kept and what was dropped, in figures."""
    books = facts[unit]
    dropped = sum(books["dropped"].values())
    return f"  {unit}: {books['in']:,} = {books['kept']:,} kept + {dropped:,} dropped"
