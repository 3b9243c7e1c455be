"""Files that are no longer what was written, by the sizes and hashes in their markers."""

from pathlib import Path

from hornbook.core.claims import marker_of
from hornbook.core.folders import damage
from hornbook.training.checkpoint import checkpoints
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.subject import Subject
from hornbook.workflows.runs import folder as layout


@check("files", "Files are what was written", "place", turn=0)
def undamaged(subject: Subject) -> Diagnosis:
    """Of every part of a run, its checkpoints among them, or of a model's folder."""
    if not (folders := _folders(subject)):
        return beside_the_point("there is nothing here that was signed")
    saved = _saved(subject)
    faults = {folder: fault for folder in folders if (fault := damage(folder, whole=True))}
    lost = bool(saved) and all(folder in faults for folder in saved)
    for folder, fault in faults.items():
        if folder not in saved or lost:
            return faulty(f"{folder}: {fault}", "Restore it from a copy, or make it again.")
    for folder, fault in faults.items():
        return doubtful(
            f"{folder}: {fault}", "Nothing to do: --resume takes the checkpoint before it."
        )
    return sound(f"{len(folders)} folders are whole")


def _folders(subject: Subject) -> list[Path]:
    """All that carry a list of what was written."""
    if subject.run is None:
        found = [subject.model] if subject.model and subject.model.is_dir() else []
    else:
        parts = (subject.run / name for name in (*layout.PARTS, layout.BEST))
        found = [part for part in parts if part.is_dir()] + _saved(subject)
    return [folder for folder in found if marker_of(folder) is not None]


def _saved(subject: Subject) -> list[Path]:
    return checkpoints(subject.run / layout.CHECKPOINTS) if subject.run else []
