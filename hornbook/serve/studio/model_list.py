"""The models that there are: pulled, of runs, exported, and those given at the start."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.gguf import SUFFIX
from hornbook.core.home import home
from hornbook.models.about import ModelAbout, about, decider
from hornbook.models.place import linear_folder, resolve
from hornbook.serve.studio.run_log import kept
from hornbook.serve.studio.work_folder import WorkFolder
from hornbook.workflows.exchange.catalogue import CATALOGUE
from hornbook.workflows.exchange.record import RECORD, total
from hornbook.workflows.runs import folder as layout

EXPORTS = "exports"
"""The folder in the work folder that exports are written to."""
_DIFFERENCES = ("max_logit_difference", "bits_per_byte_change")
_PARITY, _CARD = "parity.json", "README.md"


class ListedModel(NamedTuple):
    """origin: "pulled", "run", "exported", "folder" or "given". name: among those of one origin.
    path: as commands take it. about: what its files say, None where they are broken; fault: why.
    licence: "" where nobody says it."""

    origin: str
    name: str
    path: Path
    about: ModelAbout | None
    fault: str
    licence: str

    @property
    def place(self) -> Path:
        """Its folder or file."""
        return self.about.place if self.about else self.path


def all_models(work: WorkFolder, given: Mapping[str, Path]) -> list[ListedModel]:
    """Those of the work folder first, then pulled ones, then others that the server has."""
    found = [_listed(*each) for each in _places(work)]
    own = {path.resolve() for model in found for path in (model.path, model.place)}
    others = [
        _listed("given", name, path) for name, path in given.items() if path.resolve() not in own
    ]
    return found + [one for one in others if one.place.resolve() not in own]  # pulled, by its name


def find_model(
    work: WorkFolder, given: Mapping[str, Path], origin: str, name: str
) -> ListedModel | None:
    """The one of a name; only those that are listed are looked at."""
    models = all_models(work, given)
    return next((one for one in models if (one.origin, one.name) == (origin, name)), None)


def pulled_models() -> dict[str, Path]:
    """What `hornbook pull` has fetched, by the names that commands know them by."""
    folder = home() / "models"
    try:
        places = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return {}
    return {path.name: path for path in places if not path.name.startswith(".")}


def _places(work: WorkFolder) -> Iterator[tuple[str, str, Path]]:
    for name, path in work.models().items():
        is_run = (path / layout.RECIPE).is_file() or path.name == layout.MODEL
        exported = name.startswith(f"{EXPORTS}/")
        yield ("exported" if exported else "run" if is_run else "folder"), name, path
    for name, path in pulled_models().items():
        if linear_folder(path) or _is_model(path):
            yield "pulled", name, path


def _is_model(path: Path) -> bool:
    try:
        resolve(path)
    except HornbookError:
        return False
    return True


def _listed(origin: str, name: str, path: Path) -> ListedModel:
    try:
        place = linear_folder(path) or resolve(path)
        found = kept(decider(place), _about)
        fault = "" if found else "Its files are broken."
    except HornbookError as error:
        found, fault = None, str(error)
    own = found.licence if found else ""
    return ListedModel(origin, name, path, found, fault, _licence(path, name) or own)


def _about(file: Path) -> ModelAbout:
    return about(file if file.suffix == SUFFIX else file.parent)


def _licence(path: Path, name: str) -> str:
    """As it was noted when the model was pulled, or as the catalogue has it."""
    noted = kept(path / RECORD, read_object) or {}
    entry = CATALOGUE.get(name)
    return str(noted.get("licence") or (entry.licence if entry and _is_pulled(path) else "") or "")


def _is_pulled(path: Path) -> bool:
    return path.parent == home() / "models"


def certificate_of(place: Path) -> dict[str, Any] | None:
    """What `export` certified of a model that it wrote."""
    file = place.with_name(f"{place.name}.{_PARITY}") if place.is_file() else place / _PARITY
    found = kept(file, read_object) or {}
    parity, size = found.get("parity"), found.get("bytes")
    numbers = [
        values.get(name)
        for values, names in ((parity, _DIFFERENCES), (size, ("before", "after")))
        for name in names
        if isinstance(values, dict)
    ]
    whole = len(numbers) == len(_DIFFERENCES) + 2
    return found if whole and all(isinstance(one, int | float) for one in numbers) else None


def card_of(place: Path) -> str:
    """The text of a model folder's card, cut; "" where there is none."""
    path = place / _CARD
    return (kept(path, _text) or "") if place.is_dir() and not path.is_symlink() else ""


def _text(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(20_000)


class Offer(NamedTuple):
    """What can be pulled by its name. bytes: 0 where only its source knows."""

    name: str
    licence: str
    bytes: int


def offers() -> list[Offer]:
    """Everything in the catalogue that is not here."""
    there = pulled_models()
    return [
        Offer(name, entry.licence or "", total(file.bytes for file in entry.sources[0].files))
        for name, entry in sorted(CATALOGUE.items())
        if name not in there
    ]
