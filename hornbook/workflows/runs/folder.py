"""A run folder: where each thing lies in it, and what lies there already."""

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from hornbook.core.claims import MARKER, Claim, marker_of
from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import place_errors, read_object
from hornbook.core.folders import check_place

RECIPE = "recipe.yaml"
TOKENIZER = "tokenizer"
CHAT_TOKENIZER = "tokenizer-with-template"
MASK_TOKENIZER = "tokenizer-with-mask"
SHARDS = "shards"
CHECKPOINTS = "checkpoints"
KEPT = "kept"
"""The folder of checkpoints that stay."""
METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
FLOORS = "floors"
OUTPUTS = "outputs.jsonl"
MODEL = "model"
ADAPTER = "adapter"
BEST = "best"
BEFORE = "before.json"
RESULT = "result.json"
MEMORIZATION = "memorization.json"
"""What `hornbook memorization` found, for the report."""
REPORT = "report.html"

PARTS = (TOKENIZER, CHAT_TOKENIZER, MASK_TOKENIZER, SHARDS, FLOORS, MODEL, ADAPTER)
"""Folders in a run's that are written whole."""
_SHOWN = 3
"""Differences that are named."""
RUN, PART = Claim("a run of training"), Claim("a part of a run")
SAVED = Claim(PART.maker, repairs=True, whole=True)
"""Of what is written again and again in the course of a run."""


def check(run: Path, request: Config, kind: str, resume: bool) -> bool:
    """Whether `run` holds a recipe of this request. Raises UsageError for anything else there.

    Another run is never overwritten, an unfinished one is only touched where `resume` is set, and
    what will be written at the end must have its place before the training.
    """
    if resume:
        require_run(run)
    if not (run / RECIPE).is_file():
        _check_place(run)
        return False
    there = read_recipe(run / RECIPE)
    if there.get("kind") != kind or there.get("request") != request.plain():
        changed = _difference(there, {"kind": kind, "request": request.plain()})
        raise UsageError(f"{run} holds another run ({changed}); choose another --out.")
    if not (run / RESULT).is_file():
        if not resume:
            raise UsageError(f"{run} holds an unfinished run; continue it with --resume.")
        _check_parts(run)
    return True


@contextlib.contextmanager
def alone(run: Path) -> Iterator[None]:
    """The folder, made, for this process alone; a new one in which nothing was written is removed.

    The lock ends with its process, however that ends. Raises UsageError while another one has it,
    and HornbookError for a folder that cannot be made or written to.
    """
    new = not run.exists()
    with place_errors(run):
        run.mkdir(parents=True, exist_ok=True)
        if not os.access(run, os.W_OK):
            raise PermissionError(errno.EACCES, "no permission", str(run))
    try:
        with _locked(run):
            yield
    finally:
        if new:
            with contextlib.suppress(OSError):  # something was written
                run.rmdir()


@contextlib.contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Where the system and the disk have locks."""
    if os.name != "posix":
        yield
        return
    import fcntl

    descriptor = os.open(run, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a disk without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"{run} is being trained by another process; wait for it, or choose another "
                    "--out."
                ) from None
        yield
    finally:
        os.close(descriptor)


def require_run(run: Path) -> None:
    """Raises UsageError when there is nothing in `run` to go on with."""
    if not (run / RECIPE).is_file():
        raise UsageError(
            f"{run} holds no run to resume: there is no {RECIPE}. Start without --resume."
        )


def is_finished(run: Path) -> bool:
    """Whether the run in a folder has its result."""
    return (run / RESULT).is_file()


def kind_of(run: Path, kinds: Collection[str]) -> str:
    """Which kind of run a folder holds; raises UsageError for none, or one that is not known."""
    require_run(run)
    kind = read_recipe(run / RECIPE).get("kind")
    if kind not in kinds:
        raise UsageError(
            f"{run / RECIPE}: kind = {kind!r} is none of {', '.join(kinds)}; it was written by "
            "another version. Start a new run."
        )
    return str(kind)


def _check_place(run: Path) -> None:
    """A run begins in a new folder, or where one was stopped before its recipe was settled."""
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run} is a file; --out needs a folder.")
    listed = (marker_of(run) or {}).get("files", {})
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if (path.name in (MARKER, *listed) and _is_ours(run, RUN)) or path.name.startswith("."):
            continue
        if path.name == BEFORE and "request" in read_object(path):
            continue
        if path.name not in PARTS or not _is_ours(path, PART):
            raise UsageError(f"{run} holds other files ({path.name}); choose another --out.")


def _is_ours(folder: Path, claim: Claim) -> bool:
    """Whether a run wrote a folder."""
    return (marker_of(folder) or {}).get("maker") == claim.maker


def _check_parts(run: Path) -> None:
    """What is written at the end must have its place before the training, not after it."""
    for name in PARTS:
        check_place(run / name, PART)
    check_place(run / BEST, SAVED)


def _difference(there: dict[str, Any], asked: dict[str, Any]) -> str:
    """What was asked for differently; at most a few of it."""
    was, now = dict(leaves(there)), dict(leaves(asked))
    named = {key.removeprefix("request."): (was.get(key), value) for key, value in now.items()}
    found = [f"{key} was {w}, now {n}" for key, (w, n) in named.items() if w != n]
    return ", ".join(found[:_SHOWN]) + (" and more" if found[_SHOWN:] else "")


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a recipe that hold no others, by their dotted keys."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def weights_bytes(run: Path) -> int:
    """What the model and the checkpoints of a run hold on disk."""
    return sum(file.stat().st_size for file in run.rglob("*.safetensors"))


def result(run: Path) -> dict[str, Any]:
    """The facts of a finished run. Raises HornbookError when it has not finished."""
    if not (run / RESULT).is_file():
        raise HornbookError(f"{run} holds no finished run.")
    return read_object(run / RESULT)
