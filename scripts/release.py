"""Makes in dist/ what a release publishes, from the last commit: `make release`.

The wheel of this machine and the source distribution are built twice, in two folders, and must have
the same bytes. Beside them: a bill of materials (CycloneDX) of what requirements.lock names, and
SHA256SUMS of all of it. First the libraries are looked up in the list of known faults
(`audit.py`): a fault ends it, a list that is out of reach is said.
"""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from audit import audit

ROOT = Path(__file__).parent.parent


def build(folder: Path, *arguments: str) -> list[Path]:
    """The files that a build of the last commit gives, in a new `folder`; arguments: for `build`.

    Raises CalledProcessError where it fails.
    """
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as stored:
        stored.extractall(folder, filter="data")
    run(sys.executable, "-m", "build", *arguments, folder, cwd=folder)
    for path in (folder / "dist").glob("*.tar.gz"):
        repack(path)
    return sorted((folder / "dist").iterdir())


def repack(path: Path) -> None:
    """Write a source distribution again, with nothing in it of when, where and by whom."""
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.mode = epoch(), 0o755 if member.isdir() else member.mode & 0o755
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch())}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


@cache
def epoch() -> int:
    """Seconds of the last commit, which every file in a release is as old as."""
    command = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def differing(first: list[Path], second: list[Path]) -> list[str]:
    """Names of files that are not the same in both."""
    ours, theirs = ({path.name: path.read_bytes() for path in paths} for paths in (first, second))
    return sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))


def main() -> None:
    known = audit()
    print(*known.faults, known.line, sep="\n", file=sys.stderr, flush=True)
    if known.faults:
        sys.exit("Nothing is released with known faults.")
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        once, again = build(Path(folder) / "once"), build(Path(folder) / "once more" / "again")
        if found := differing(once, again):
            sys.exit(f"Built twice, these are not the same: {', '.join(found)}.")
        for path in once:
            shutil.copy(path, target)
    bill = target / (next(target.glob("*.tar.gz")).name.removesuffix(".tar.gz") + ".cdx.json")
    options = ["--output-reproducible", "--pyproject", "pyproject.toml", "--output-file", bill]
    run(sys.executable, "-m", "cyclonedx_py", "requirements", "requirements.lock", *options)
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}" for p in target.iterdir()]
    (target / "SHA256SUMS").write_text("\n".join(sorted(sums)) + "\n")
    print("\n".join(sorted(sums)))


if __name__ == "__main__":
    main()
