"""Drills of disks: full at a checkpoint, a byte that flips, a shard that is cut short."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hornbook.batches.shards import TokenShards
from hornbook.core.errors import HornbookError
from hornbook.training.checkpoint import load_checkpoint, save_checkpoint
from hornbook.workflows.curate.encode import prepare_shards, prepare_tokenizer
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, faulty, sound
from hornbook.workflows.doctor.drills import drill
from hornbook.workflows.doctor.drills.material import QUIET, corpus, state
from hornbook.workflows.doctor.subject import Subject
from hornbook.workflows.runs import folder as layout

_REPORT = "Report it, with what was found."
_ROOM = 4096
"""Bytes that a file may have on the disk that is full."""


@drill("full_disk", "A disk that is full at a checkpoint")
def full_disk(subject: Subject) -> Diagnosis:
    """The system refuses the writes; the checkpoint before must stay whole."""
    if os.name != "posix":
        return beside_the_point("this system sets no limit to files")
    folder, trained = subject.work / "full", state()
    save_checkpoint(folder, trained)
    trained.step = 2
    try:
        with _refused_writes():
            save_checkpoint(folder, trained)
    except HornbookError as error:
        why = str(error)
    else:
        return faulty("a checkpoint was said to be saved that the disk refused", _REPORT)
    again = state()
    if not load_checkpoint(folder, again, lambda line: None) or again.step != 1:
        return faulty("the checkpoint before was lost", _REPORT)
    left = [path.name for path in folder.iterdir() if not path.name.startswith("step-")]
    if left:
        return faulty(f"half-written files were left: {', '.join(left)}", _REPORT)
    return sound(f"stopped with its reason ({why}); the checkpoint before is whole")


@contextlib.contextmanager
def _refused_writes() -> Iterator[None]:
    """Files of this process cannot grow, as on a disk that is full."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@drill("flipped_byte", "A byte of a checkpoint that flips")
def flipped_byte(subject: Subject) -> Diagnosis:
    """The newest checkpoint is not what was written; the one before it is taken."""
    folder, trained = subject.work / "flipped", state()
    for step in (1, 2):
        trained.step = step
        newest = save_checkpoint(folder, trained)
    _flip(newest / "model.safetensors")
    said: list[str] = []
    again = state()
    if not load_checkpoint(folder, again, said.append) or again.step != 1 or not said:
        return faulty("a damaged checkpoint was taken for a whole one", _REPORT)
    return sound("noticed by its checksum; gone on from the checkpoint before, and said so")


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _refusal(work: Callable[[], object]) -> str:
    """Why something cannot be done; "" where it can."""
    try:
        work()
    except HornbookError as error:
        return str(error)
    return ""


@drill("cut_shard", "A shard of tokens that is cut short")
def cut_shard(subject: Subject) -> Diagnosis:
    """It is named where it is opened; moved away as it is told, it is made anew."""
    text = corpus(subject.work)
    tokenizer = prepare_tokenizer(text, subject.work / "cut", 300, QUIET, layout.PART)
    place = subject.work / "shards"
    prepare_shards(text, tokenizer, place, QUIET, layout.PART)
    shard = place / "train" / "tokens-00000.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-2])
    told = [
        _refusal(lambda: TokenShards.open(place / "train")),
        _refusal(lambda: prepare_shards(text, tokenizer, place, QUIET, layout.PART)),
    ]
    if not all(shard.name in one for one in told):
        return faulty("a shard that was cut short was taken for a whole one", _REPORT)
    shard.rename(subject.work / shard.name)  # as it is told
    prepare_shards(text, tokenizer, place, QUIET, layout.PART)
    if shard.read_bytes() != whole:
        return faulty("the shard was not made anew as it was", _REPORT)
    return sound(
        "stopped, and the file is named; once it is moved away it is made anew, the same bytes"
    )
