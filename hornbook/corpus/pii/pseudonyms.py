"""Consistent pseudonyms: a value gets the same one everywhere, and none leads back to it.

Knows finders and a key. A pseudonym is part of an HMAC of the value's kind and its spelling-free
form: without the key nobody can try values against it. Different values share one by chance
(24 bits for most kinds, 254 addresses for IP version 4). Knows nothing of documents.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

from hornbook.core.errors import UsageError, unknown
from hornbook.corpus.pii.contract import BARRIER, FINDERS, PiiSpan, find_all
from hornbook.corpus.pii.spelling import plain

_ROUNDS = 8
"""One is enough for prose. A find that hid another one behind it costs one more."""


class Pseudonyms:
    """Replaces personal data. key: secret of a corpus. kinds: those replaced, None for all.

    Raises UsageError for an empty key or a kind that nobody finds.
    """

    def __init__(self, key: bytes, kinds: Iterable[str] | None = None) -> None:
        if not key:
            raise UsageError("Pseudonyms need a key: with an empty one anybody can undo them.")
        self._key = key
        self._kinds = tuple(FINDERS) if kinds is None else tuple(kinds)
        for kind in self._kinds:
            if kind not in FINDERS:
                raise unknown("kind of personal data", kind, FINDERS)
        # Pseudonyms of every kind are left alone: an earlier pass may have had other kinds.
        self._own = re.compile("|".join(f"(?:{f.pseudonyms()})" for f in FINDERS.values()))

    def replace(self, text: str) -> tuple[str, list[PiiSpan]]:
        """The text with pseudonyms, and what was found where in the text given.

        Replacing the result again changes nothing.
        """
        found = self._find(text)
        if not found:
            return text, []
        pieces, at = [], 0
        for item in found:
            pieces += [text[at : item.start], self.of(item.kind, text[item.start : item.stop])]
            at = item.stop
        return "".join([*pieces, text[at:]]), found

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of one value."""
        finder = FINDERS[kind]
        message = f"{kind}:{finder.normal(plain(value))}".encode()
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return finder.pseudonym(value, digest)

    def _find(self, text: str) -> list[PiiSpan]:
        # What is found is blanked and the rest is searched again, until nothing is left: then the
        # result, whose pseudonyms are blanked in the same way, has nothing left either.
        if not find_all(text, self._kinds):
            return []
        blank, found = self._own.sub(lambda m: BARRIER * len(m[0]), text), list[PiiSpan]()
        for _ in range(_ROUNDS):
            new = find_all(blank, self._kinds)
            if not new:
                break
            found += new
            pieces, at = [], 0
            for item in new:
                pieces += [blank[at : item.start], BARRIER * (item.stop - item.start)]
                at = item.stop
            blank = "".join([*pieces, blank[at:]])
        return sorted(found)
