"""What a claim is: a sentence, an experiment, and a function that tries it with one seed.

Claims register themselves by a decorator, one a file in `statements`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.workflows.claims.said import Twice

if TYPE_CHECKING:
    from hornbook.workflows.claims.lab import Lab


class Mark(NamedTuple):
    """A point of a picture: of which line or bar, over what (None: a bar), and how high."""

    name: str
    x: float | None
    value: float


class Also(NamedTuple):
    """Another comparison that belongs to a claim, with gains as a `Trial` has them. needed: the
    claim holds only where this holds as well; else it is shown beside the verdict, as a price is.
    """

    measure: Twice
    gains: Sequence[float]
    weights: Sequence[float] | None = None
    needed: bool = True


@dataclass(frozen=True)
class Trial:
    """What one seed gave.

    gains: of each sample, above 0 where the claim is right; the sides are compared on the same
    samples. weights: what each sample counts, such as its bytes; the value is Σ gains / Σ weights.
    None for one each. marks: what the picture shows. also: other comparisons, the same in every
    trial. notes: for people, such as what was taken in place of what is not there. more: the marks
    of each further picture.
    """

    gains: Sequence[float]
    marks: Sequence[Mark]
    weights: Sequence[float] | None = None
    also: Sequence[Also] = ()
    notes: Sequence[Twice] = ()
    more: Sequence[Sequence[Mark]] = ()

    def plain(self) -> dict[str, Any]:
        """As a JSON file has it."""
        return {
            **_paired(self.gains, self.weights),
            "marks": [mark._asdict() for mark in self.marks],
            "more": [[mark._asdict() for mark in marks] for marks in self.more],
            "also": [
                {
                    "measure": list(one.measure),
                    "needed": one.needed,
                    **_paired(one.gains, one.weights),
                }
                for one in self.also
            ],
            "notes": [list(note) for note in self.notes],
        }


def _paired(gains: Sequence[float], weights: Sequence[float] | None) -> dict[str, Any]:
    counted = [1.0] * len(gains) if weights is None else weights
    assert len(counted) == len(gains)
    return {
        "gains": [float(gain) for gain in gains],
        "weights": [float(weight) for weight in counted],
    }


class Picture(NamedTuple):
    """height: what the marks' values are. names: of the marks, each with its Chinese. axis: what
    they stand over; None for a row each."""

    height: Twice
    names: Mapping[str, str]
    axis: Twice | None = None


Tried = Callable[["Lab", int], Trial]


class Statement(NamedTuple):
    """number: its place in the chapter. name: for --only. sentence: what is claimed. experiment:
    how it is tried. measure: what a gain is, with its unit. picture, more: what is drawn of it.
    uses: the data sets of `sources`. tried: the experiment with one seed.
    """

    number: int
    name: str
    sentence: Twice
    experiment: Twice
    measure: Twice
    picture: Picture
    uses: tuple[str, ...]
    tried: Tried
    more: tuple[Picture, ...] = ()


_known: dict[str, Statement] = {}


def statement(
    number: int,
    name: str,
    *,
    sentence: Twice,
    experiment: Twice,
    measure: Twice,
    picture: Picture,
    uses: Sequence[str] = (),
    more: Sequence[Picture] = (),
) -> Callable[[Tried], Tried]:
    """Decorates the function that tries a claim with one seed; arguments as in `Statement`."""

    def enter(tried: Tried) -> Tried:
        same = [one for one in _known.values() if one.number == number or one.name == name]
        assert not same, f"two claims are called {number} or {name}"
        said = (sentence, experiment, measure, picture)
        _known[name] = Statement(number, name, *said, tuple(uses), tried, tuple(more))
        return tried

    return enter


def statements() -> list[Statement]:
    """All claims there are, in the order of the chapter."""
    package = importlib.import_module("hornbook.workflows.claims.statements")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(_known.values(), key=lambda one: one.number)
