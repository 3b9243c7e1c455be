"""What a finder is: it says where personal data of one kind stands in a text.

A finder is one file, registered under its kind. It also says which spellings are one value and
what a pseudonym of the kind looks like. Knows text; knows nothing of keys, documents or files.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple, TypeVar

from hornbook.corpus.pii.spelling import plain

FINDERS: dict[str, "Finder"] = {}
"""Every finder by its kind, in the order of the alphabet once all are imported."""

BARRIER = "\0"
"""Stands where data was found before. It joins to nothing: finders take it for a word character
beside a value, and look for words of context up to it only. So a replacement makes no new finds.
"""
WORD = r"0-9A-Za-z_\0"
"""Beside a value these make it part of something longer. ASCII only: Chinese has no spaces."""

_ORDERED = re.compile(
    r"\b(?:isbn|issn|order|invoice|bestell\w*|parcel|shipment|tracking|ticket|serial|sku|ean|gtin|imei"
    r"|rechnung\w*|sendung\w*|commande|pedido|factura|facture)\b|订单|訂單|单号|單號|编号|運單|快递",
    re.IGNORECASE | re.ASCII,
)
"""Words for numbers of things."""
_OTHER = re.compile("[^0-9A-Za-z]+")


class PiiSpan(NamedTuple):
    """One value: text[start:stop]. subtype: a country, a scheme or a version, where known."""

    start: int
    stop: int
    kind: str
    subtype: str = ""


class Finder(ABC):
    """Finds one kind of data.

    rank: of two finds of one length, the one of the higher rank is kept. label: its pseudonyms'
    first word. Results depend on what stands beside a value, not on what was found before it.
    """

    kind: ClassVar[str]
    rank: ClassVar[int]
    label: ClassVar[str]

    @abstractmethod
    def find(self, text: str) -> list[PiiSpan]:
        """What is found in text as `spelling.plain` writes it, by start; finds do not overlap."""

    def normal(self, value: str) -> str:
        """The value without its spelling: equal for two spellings of one value."""
        return _OTHER.sub("", value).upper()

    def pseudonym(self, value: str, digest: bytes) -> str:
        """What stands for a value; depends on the digest and on the value's shape at most."""
        return f"[{self.label}-{digest[:3].hex()}]"

    def pseudonyms(self) -> str:
        """A pattern of all that `pseudonym` returns."""
        return rf"\[{self.label}-[0-9a-f]{{6}}\]"


AnyFinder = TypeVar("AnyFinder", bound=Finder)


def register(kind: str) -> Callable[[type[AnyFinder]], type[AnyFinder]]:
    """Name a finder; raises AssertionError for a name that is taken."""

    def named(finder: type[AnyFinder]) -> type[AnyFinder]:
        assert kind not in FINDERS, f"two finders are called {kind}"
        finder.kind = kind
        FINDERS[kind] = finder()
        return finder

    return named


def before(text: str, start: int, width: int = 48) -> str:
    """Up to `width` characters before a value, as context, from the last barrier on."""
    return text[max(0, start - width) : start].rpartition(BARRIER)[2]


def is_ordered(text: str, start: int) -> bool:
    """Whether a word such as "order" or ISBN stands close before a value."""
    return _ORDERED.search(before(text, start, 20)) is not None


def joined(text: str, at: int) -> bool:
    """Whether a word character or a barrier stands at a place; False beyond the ends."""
    character = text[at : at + 1] if at >= 0 else ""
    return character != "" and (character in "_\0" or (character.isascii() and character.isalnum()))


def find_all(text: str, kinds: Iterable[str] | None = None) -> list[PiiSpan]:
    """What all finders find, by start, without overlaps. kinds: None for every kind.

    Of overlapping finds the longest is kept, of equally long ones that of the highest rank.
    """
    finders = FINDERS.values() if kinds is None else [FINDERS[kind] for kind in kinds]
    text = plain(text)
    found = [item for finder in finders for item in finder.find(text)]
    return _apart(found, len(text)) if len(found) > 1 else found


def _apart(found: list[PiiSpan], length: int) -> list[PiiSpan]:
    found.sort(key=lambda f: (f.start - f.stop, -FINDERS[f.kind].rank, f.start))
    taken, kept = bytearray(length), []
    for item in found:
        if taken.find(1, item.start, item.stop) < 0:
            taken[item.start : item.stop] = b"\1" * (item.stop - item.start)
            kept.append(item)
    return sorted(kept)
