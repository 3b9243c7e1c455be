"""E-mail addresses with Latin letters.

Knows the shape of an address (RFC 5321), not whether its domain exists. Quoted local parts, other
scripts and addresses spelled out ("jane at example dot com") are not found.
"""

import re

from hornbook.corpus.pii.contract import BARRIER, Finder, PiiSpan, register

_LETTER = "A-Za-zÀ-ÖØ-öø-ɏ"
# The first character is a literal: the scan costs as little as a search for "@".
_DOMAIN = re.compile(
    rf"@(?<=[0-9{_LETTER}_+\-]@)"
    rf"(?P<domain>(?:[0-9{_LETTER}](?:[0-9{_LETTER}\-]{{0,61}}[0-9{_LETTER}])?\.){{1,8}}"
    rf"(?:xn--[0-9a-z]{{2,59}}|[{_LETTER}]{{2,24}}))"
    rf"(?![0-9{_LETTER}_@\0]|-[0-9{_LETTER}])"
)
_LOCAL = re.compile(rf"[0-9{_LETTER}_+\-%&'*/=?^~!#$|`{{}}.]*")
_EDGES = ".'`*/=?^~!#$|{}%&"
"""Allowed inside a local part, but at its begin more likely quotes, markup or a URL's joint."""
_LONGEST = 64
_OWN = re.compile(r"person-[0-9a-f]{8}@example\.org\Z")


@register("email")
class Email(Finder):
    """jane.doe+list@mail.example.com"""

    rank = 3
    label = "EMAIL"

    def find(self, text: str) -> list[PiiSpan]:
        if "@" not in text:
            return []
        found: list[PiiSpan] = []
        for match in _DOMAIN.finditer(text):
            at = match.start()
            head = text[max(0, at - _LONGEST - 1) : at][::-1]
            length = _LOCAL.match(head).end()  # type: ignore[union-attr]
            before = head[length : length + 1]
            if length > _LONGEST or (before in (BARRIER, "@") and before):
                continue
            local = head[:length][::-1].rsplit("//", 1)[-1]
            local = local.rsplit("=", 1)[-1].lstrip(_EDGES)
            if not local or ".." in local:
                continue
            start = at - len(local)
            if _OWN.match(text, start, match.end()):
                continue
            if not found or found[-1].stop <= start:
                found.append(PiiSpan(start, match.end(), self.kind))
        return found

    def normal(self, value: str) -> str:
        return value.lower()

    def pseudonym(self, value: str, digest: bytes) -> str:
        return f"person-{digest[:4].hex()}@example.org"

    def pseudonyms(self) -> str:
        return r"person-[0-9a-f]{8}@example\.org"
