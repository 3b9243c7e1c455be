"""What a model does before the first step of its tuning, measured once: a run that is resumed has
the figures of the beginning."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from hornbook.core.files import hash_json, read_json, write_json
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import Request

_STRETCHED, _FEWEST = 3, 2
"""Items of each part where time is short, in up to so many times its share; and however little time
there is."""

Measured = TypeVar("Measured")


class Sizes(NamedTuple):
    """Items of each part that are measured; general: windows of general text."""

    validation: int
    test: int
    general: int


class Room(NamedTuple):
    """For a part: the share of what time is left that measuring it once may take, and its items
    where time is short."""

    share: float
    least: int


def known_before(
    kind: Callable[..., Measured], parts: Mapping[str, type], request: Request, place: Place
) -> Measured | None:
    """What was measured for this request in a run that was stopped. parts: the fields that are
    named tuples themselves."""
    path = place.folder / layout.BEFORE
    facts: dict[str, Any] = read_json(path) if path.is_file() else {}
    if facts.pop("request", None) != hash_json(request.plain()):
        return None
    return kind(**{**facts, **{name: part(**facts[name]) for name, part in parts.items()}})


def keep_before(
    found: NamedTuple, parts: Mapping[str, type], request: Request, place: Place
) -> None:
    """Write down what was measured."""
    plain = {name: getattr(found, name)._asdict() for name in parts}
    facts = {"request": hash_json(request.plain()), **found._asdict(), **plain}
    write_json(place.folder / layout.BEFORE, facts)


def sizes_of(
    every: Sizes, each_s: Mapping[str, float], rooms: Mapping[str, Room], left_s: float
) -> Sizes:
    """As many items of each part as there is time for. each_s: seconds of one."""
    found = {}
    for name, count in every._asdict().items():
        room = rooms[name].share * left_s / each_s[name]
        most = max(room, min(rooms[name].least, _STRETCHED * room), _FEWEST)
        found[name] = min(count, int(most))
    return Sizes(**found)
