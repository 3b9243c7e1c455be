"""Internet addresses that are routed worldwide, version 4 and 6.

Knows the address ranges of `ipaddress`: private, loopback, documentation and other reserved ranges
are left alone. Does not know who holds an address.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from hornbook.corpus.pii.contract import WORD, Finder, PiiSpan, before, joined, register

# Both patterns start with a literal, so that the scan is as fast as a search for a character.
_FOUR_DOT = re.compile(r"\.(?<=[0-9]\.)(?=[0-9]{1,3}\.[0-9]{1,3}\.[0-9])")
_FOUR = re.compile(rf"[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?![{WORD}]|\.[0-9\0])")
_SIX_COLON = re.compile(r":(?<=[23][0-9a-fA-F]{3}:)(?=[0-9a-fA-F:])")
_SIX = re.compile(r"[0-9a-fA-F:]{4,40}")
_JOINS = ".:-/"
_VERSION = re.compile(
    r"(?:\b(?:v|ver|vers|version|versions|release|rev|revision|section|sections|sec|chapter|clause"
    r"|article|figure|table|appendix|part|firmware|build|abschnitt|kapitel|ziffer|nr|no)"
    r"|§|版本|版|第|章节?|节)[.:\s]*\Z",
    re.IGNORECASE | re.ASCII,
)
_NAMED = re.compile(
    r"\b(?:ip|ipv4|ips|host|server|ping|address|adresse|client|from|dns)\b|地址|服务器",
    re.IGNORECASE | re.ASCII,
)
_SMALL = 20
"""Four parts below this are more often a section or a version than an address in use."""


def _free(text: str, start: int) -> bool:
    """Whether nothing before makes the number part of something longer."""
    if not start:
        return True
    number_before = start > 1 and text[start - 2] in "0123456789\0"
    return not joined(text, start - 1) and not (text[start - 1] in _JOINS and number_before)


@register("ip")
class Ip(Finder):
    """8.8.4.4 and 2a00:1450:4001::200e"""

    rank = 3
    label = "IP"

    def find(self, text: str) -> list[PiiSpan]:
        found = [f for m in _FOUR_DOT.finditer(text) if (f := self._four(text, m.start()))]
        found += [f for m in _SIX_COLON.finditer(text) if (f := self._six(text, m.start()))]
        return sorted(found)

    def _four(self, text: str, dot: int) -> PiiSpan | None:
        start = dot - 1
        while start and dot - start < 3 and "0" <= text[start - 1] <= "9":
            start -= 1
        match = _FOUR.match(text, start)
        if not match or not _free(text, start) or (start and text[start - 1] == "."):
            return None
        try:
            address = IPv4Address(match[0])
        except AddressValueError:
            return None
        # One that ends in 0 is a network or, more often, a version.
        if not address.is_global or address.is_multicast or not address.packed[3]:
            return None
        context = before(text, start)
        if _VERSION.search(context):
            return None
        if all(part < _SMALL for part in address.packed) and not _NAMED.search(context):
            return None
        return PiiSpan(start, match.end(), self.kind, "4")

    def _six(self, text: str, colon: int) -> PiiSpan | None:
        start = colon - 4
        if not _free(text, start) or (start and text[start - 1] in ":."):
            return None
        match = _SIX.match(text, start)
        assert match
        stop = match.end()
        if text[stop - 1] == ":" and text[stop - 2] != ":":
            stop -= 1
        if joined(text, match.end()):
            return None
        try:
            address = IPv6Address(text[start:stop])
        except AddressValueError:
            return None
        # "2006::" is a year before a block of code more often than a network.
        groups = sum(map(bool, text[start:stop].split(":")))
        return PiiSpan(start, stop, self.kind, "6") if address.is_global and groups > 2 else None

    def normal(self, value: str) -> str:
        return str(IPv6Address(value) if ":" in value else IPv4Address(value))

    def pseudonym(self, value: str, digest: bytes) -> str:
        """Version 4 has 254 pseudonyms only: different values may share one."""
        if ":" in value:
            return f"2001:db8::{digest[:2].hex()}:{digest[2:4].hex()}:{digest[4:6].hex()}"
        return f"192.0.2.{1 + int.from_bytes(digest[:4], 'big') % 254}"

    def pseudonyms(self) -> str:
        return (
            r"(?<![0-9.])192\.0\.2\.[0-9]{1,3}(?![0-9])"
            r"|(?<![0-9a-f:])2001:db8:(?::[0-9a-f]{4}){3}(?![0-9a-f])"
        )
