"""Which model makes the vectors of an index, and how a question gets its own."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_file
from hornbook.core.home import pulled
from hornbook.models.place import resolve
from hornbook.retrieve.search import Encode
from hornbook.retrieve.store import Store
from hornbook.retrieve.vectors import ENCODER

if TYPE_CHECKING:
    import numpy as np

    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.quick_encoder import QuickEncoder

MANY_LANGUAGES, ENGLISH = "multilingual-e5-small", "all-minilm-l6-v2"
NONE = "none"
"""The encoder of an index that has no vectors."""
_ASKED, STAMP = "encoder_asked", "encoder_stamp"
"""Settings: what was asked for, and how the file of the encoder's weights lay on the disk."""


def settle_encoder(store: Store, asked: str | None) -> str | None:
    """The name of the model that makes an index's vectors from now on; None for no vectors.

    asked: a model, or `none`; by default what was asked for before, else the pulled one that fits
    the languages. Vectors of another model are dropped. Raises UsageError for a model that is not
    there.
    """
    before = store.setting(ENCODER)
    if asked:
        store.keep(_ASKED, asked)
    name = (
        asked
        or store.setting(_ASKED)
        or (before["model"] if before else fitting_encoder(_languages(store)))
    )
    if name is None or name == NONE:
        chosen = None
    else:
        if not pulled(name).is_dir():
            name = str(Path(name).absolute())
        chosen = {"model": name, "weights": _weights(resolve(Path(name)))}
    if chosen != before:
        store.execute("DELETE FROM vectors")
        store.keep(ENCODER, chosen)
    if chosen:
        store.keep(STAMP, _stamp(resolve(Path(chosen["model"]))))
    return chosen["model"] if chosen else None


def check_encoder(asked: str | None) -> None:
    """Raises UsageError for a model that is not there, before long work starts."""
    if asked and asked != NONE:
        resolve(Path(asked))


def _languages(store: Store) -> list[str]:
    rows = store.execute("SELECT DISTINCT language FROM documents WHERE language != ''")
    return [row[0] for row in rows]


def fitting_encoder(languages: Collection[str]) -> str | None:
    """The pulled model that knows these languages (ISO 639-1, "" for unknown), or None."""
    return next((name for name in _fitting(languages) if pulled(name).is_dir()), None)


def _fitting(languages: Collection[str]) -> tuple[str, ...]:
    is_english = set(languages) <= {"en", ""}
    return (ENGLISH, MANY_LANGUAGES) if is_english else (MANY_LANGUAGES,)


def to_add_vectors(folder: Path) -> str:
    """The command that gives an index without vectors some."""
    store = Store.open(folder)
    try:
        languages = _languages(store)
    finally:
        store.close()
    name = fitting_encoder(languages)
    index = f"hornbook index --out {folder} --encoder"
    if name is not None:
        return f"{index} {name}"
    wanted = _fitting(languages)[0]
    return f"hornbook pull {wanted} && {index} {wanted}"


def _weights(folder: Path) -> str:
    """What tells one model from another of the same name."""
    file = _file(folder)
    return hash_file(file) if file else ""


def _file(folder: Path) -> Path | None:
    if folder.is_file():
        return folder
    return next(iter(sorted(folder.glob("*.safetensors"))), None)


def _stamp(folder: Path) -> list[int]:
    """How the file lies on the disk: one that lies as it did is not read to see what it is."""
    file = _file(folder)
    facts = file.stat() if file else None
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino] if facts else []


def open_encoder(settings: dict[str, Any]) -> "Encoder":
    """The model that made an index's vectors. Raises HornbookError where it is another by now."""
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.load import load

    path = Path(settings["model"])
    encoder = load(path, Encoder)
    _check_weights(path, settings)
    return encoder


def open_quickly(store: Store) -> "QuickEncoder | None":
    """The model that made an index's vectors, for a few texts; None where it takes more than that.

    Raises as `open_encoder`.
    """
    from hornbook.workflows.open.quick_encoder import QuickEncoder

    settings = store.setting(ENCODER)
    path = Path(settings["model"])
    if store.setting(STAMP) != _stamp(resolve(path)):
        _check_weights(path, settings)
    return QuickEncoder.open(path)


def _check_weights(path: Path, settings: dict[str, Any]) -> None:
    if _weights(resolve(path)) != settings["weights"]:
        raise HornbookError(
            f"{path} is not the model that made the vectors; index again to make them anew."
        )


def question_encoder(folder: Path) -> Encode | None:
    """What makes vectors of questions to an index; None where it has no vectors.

    The model is loaded when the first question comes. Raises UsageError where it is not there.
    """
    store = Store.open(folder)
    try:
        settings = store.setting(ENCODER)
        if not settings or not store.execute("SELECT 1 FROM vectors LIMIT 1").fetchone():
            return None
    finally:
        store.close()
    resolve(Path(settings["model"]))
    loaded: list[Encoder | QuickEncoder] = []

    def encode(question: str) -> "np.ndarray":
        if not loaded:
            store = Store.open(folder)
            try:
                loaded.append(open_quickly(store) or open_encoder(settings))
            finally:
                store.close()
        found: np.ndarray = loaded[0].embed([question], prompt="query")[0]
        return found

    return encode
