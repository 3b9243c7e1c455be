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
    from hornbook.workflows.open.encoder import Encoder

MANY_LANGUAGES, ENGLISH = "multilingual-e5-small", "all-minilm-l6-v2"
NONE = "none"
"""The encoder of an index that has no vectors."""
_ASKED = "encoder_asked"


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
    is_english = set(languages) <= {"en", ""}
    names = (ENGLISH, MANY_LANGUAGES) if is_english else (MANY_LANGUAGES,)
    return next((name for name in names if pulled(name).is_dir()), None)


def _weights(folder: Path) -> str:
    """What tells one model from another of the same name."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_file(files[0]) if files else ""


def open_encoder(settings: dict[str, Any]) -> "Encoder":
    """The model that made an index's vectors. Raises HornbookError where it is another by now."""
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.load import load

    path = Path(settings["model"])
    encoder = load(path, Encoder)
    if _weights(resolve(path)) != settings["weights"]:
        raise HornbookError(
            f"{path} is not the model that made the vectors; index again to make them anew."
        )
    return encoder


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
    loaded: list[Encoder] = []

    def encode(question: str) -> Any:
        if not loaded:
            loaded.append(open_encoder(settings))
        return loaded[0].embed(question, prompt="query")

    return encode
