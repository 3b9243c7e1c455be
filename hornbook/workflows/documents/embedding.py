"""Vectors of an index, made until all passages have one; in a process of its own, if asked.

A process that is ended keeps what it has made, and the next one goes on from there. Passages that
come meanwhile are taken as well; those that go take their vectors with them. What a first question
would wait for is learned in the same process: by words before, by vectors after.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.core.errors import HornbookError
from hornbook.core.isolation import end_with_starter, python, start_aside
from hornbook.core.progress import Advance, Progress
from hornbook.retrieve.lock import locked
from hornbook.retrieve.store import Store, StoredPassage
from hornbook.retrieve.vectors import (
    ENCODER,
    FOLDER,
    add_vectors,
    encoded_text,
    is_mapped,
    without_vectors,
    write_map,
)
from hornbook.workflows.documents.encoders import open_encoder
from hornbook.workflows.documents.refusal import is_learned, learn_to_refuse

if TYPE_CHECKING:
    from hornbook.workflows.open.encoder import Encoder

LOCK = "vectors.lock"
_AT_ONCE = 64
"""Passages between two commits: what a kill may cost."""
_MAP_AGAIN = 20_000
"""Vectors after which the map is written anew."""
_LONGEST_S = 7 * 24 * 3600.0


def embed_index(folder: Path, progress: Progress) -> int:
    """Make the vectors that are missing; how many that were.

    Raises HornbookError where another process is at it.
    """
    lock = locked(folder / LOCK)
    try:
        store = Store.create(folder)
        try:
            return _embed(store, folder, progress)
        finally:
            store.close()
    finally:
        lock.close()


def _embed(store: Store, folder: Path, progress: Progress) -> int:
    settings = store.setting(ENCODER)
    if not settings:
        return 0
    missing = "SELECT (SELECT count(*) FROM passages) - (SELECT count(*) FROM vectors)"
    (count,) = store.execute(missing).fetchone()
    if not count:
        if not is_mapped(store, folder / FOLDER):  # whoever made the last ones was ended
            write_map(store, folder / FOLDER)
        return 0
    encoder = open_encoder(settings)
    made = mapped = 0
    with progress.bar("vectors", count, "passages") as advance:
        while some := without_vectors(store, 0, _MAP_AGAIN):
            for start in range(0, len(some), _AT_ONCE):
                made += _some(store, encoder, some[start : start + _AT_ONCE], advance)
            if store.setting(ENCODER) != settings:
                return made
            if made - mapped >= _MAP_AGAIN:
                write_map(store, folder / FOLDER)
                mapped = made
    write_map(store, folder / FOLDER)
    return made


def _some(store: Store, encoder: "Encoder", passages: list[int], advance: Advance) -> int:
    """Make the vectors of some passages and commit them."""
    there = store.passages_by_id(passages)
    texts = [text_of(store, passage) for passage in there.values()]
    vectors = encoder.embed(texts, prompt="passage")
    store.execute("BEGIN IMMEDIATE")
    add_vectors(store, list(there), vectors)
    store.execute("COMMIT")
    advance(len(there))
    return len(there)


def text_of(store: Store, passage: StoredPassage) -> str:
    """What the vector of a passage is made of."""
    (title,) = store.execute(
        "SELECT title FROM documents WHERE id = ?", (passage.document,)
    ).fetchone() or ("",)
    text = store.text(passage.document, passage.start, passage.end)
    return encoded_text(title, text)


def finish(folder: Path, progress: Progress) -> None:
    """Make the vectors that are missing, and learn when to refuse, now."""
    embed_index(folder, progress)
    learn_to_refuse(folder, progress)


def finish_aside(folder: Path) -> bool:
    """As `finish`, in a process of its own, for as long as it takes; whether there is anything to
    do. Where one is at it already, the new one ends at once."""
    store = Store.open(folder)
    try:
        missing = bool(store.setting(ENCODER)) and (
            bool(without_vectors(store, 0, 1)) or not is_mapped(store, folder / FOLDER)
        )
    finally:
        store.close()
    if not missing and is_learned(folder):
        return False
    start_aside(python("hornbook.workflows.documents", str(folder.absolute())), {})
    return True


def main(folder: str) -> None:
    """What the process of its own does."""
    end_with_starter(_LONGEST_S)
    if hasattr(os, "nice"):
        os.nice(10)  # whoever works on this machine goes first
    place, progress = Path(folder), Progress(quiet=True)
    try:
        learn_to_refuse(place, progress)
        finish(place, progress)
    except HornbookError as error:
        sys.exit(str(error))
