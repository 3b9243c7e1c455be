"""Numbers of people in national registers, each by its check digits.

Knows the formulas of CN, DE, ES, NL, US, FR, GB and BR. A scheme whose check is weak or missing
counts only behind a word that names it. Does not know whether a number was given out.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from hornbook.corpus.pii.contract import WORD, Finder, PiiSpan, before, joined, register

# The second digit comes at once, or as the French year after the one digit for the sex.
_START = re.compile(
    r"[0-9](?<![0-9A-Wa-z_\0].)(?<![0-9\0][.,\-/].)(?=[0-9]|[ \u00a0.\-][0-9]{2})"
    r"(?=(?:[ \u00a0.\-]?[0-9]){5})"
)
_END = rf"(?![{WORD}]|[.,\-/][0-9\0])"


def _cn(number: str) -> bool:
    """ISO 7064 mod 11-2 over 18 characters, with a date of birth (GB 11643)."""
    day = number[6:14]
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return False
    rest = 0
    for character in number:
        rest = (rest * 2 + (10 if character in "Xx" else int(character))) % 11
    return rest == 1


def _de(number: str) -> bool:
    """ISO 7064 mod 11,10; of the first ten digits exactly one comes twice or thrice."""
    counts = sorted((number[:10].count(digit) for digit in set(number[:10])), reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1:
        return False
    rest = 10
    for digit in number[:10]:
        total = (int(digit) + rest) % 10 or 10
        rest = total * 2 % 11
    return (11 - rest) % 10 == int(number[10])


def _es(number: str) -> bool:
    """The letter is the number mod 23; a foreigner's X, Y, Z stands for 0, 1, 2."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def _nl(number: str) -> bool:
    """The eleven test: weights 9 to 2, then -1."""
    total = sum(int(d) * w for d, w in zip(number, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return total % 11 == 0 and number != "000000000"


def _us(number: str) -> bool:
    """No check digit; areas 000, 666 and 9xx, group 00 and serial 0000 are never given."""
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _fr(number: str) -> bool:
    """97 minus the number mod 97; Corsica's 2A and 2B count as 19 and 18."""
    month = int(number[3:5])
    digits = number[:13].replace("2A", "19").replace("2B", "18")
    known = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return known and digits.isdigit() and 97 - int(digits) % 97 == int(number[13:])


def _gb(number: str) -> bool:
    """Mod 11 with weights 10 to 2."""
    check = 11 - sum(int(d) * w for d, w in zip(number, range(10, 1, -1), strict=False)) % 11
    return check % 11 == int(number[9])


def _br(number: str) -> bool:
    """Two check digits by mod 11; eleven equal digits pass, but are never given."""
    for length in (9, 10):
        weights = range(length + 1, 1, -1)
        total = sum(int(d) * w for d, w in zip(number, weights, strict=False))
        if total * 10 % 11 % 10 != int(number[length]):
            return False
    return len(set(number)) > 1


class Scheme(NamedTuple):
    """pattern: of the number. check: of its characters alone. names: words before, or None."""

    country: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    names: re.Pattern[str] | None = None


def _scheme(
    country: str, pattern: str, check: Callable[[str], bool], names: str | None = None
) -> Scheme:
    words = re.compile(names, re.IGNORECASE | re.ASCII) if names else None
    return Scheme(country, re.compile(pattern + _END), check, words)


_S = r"[ \u00a0.\-]"
SCHEMES = (
    _scheme("CN", r"[1-8][0-9]{5}([ \-]?)(?:19|20)[0-9]{6}\1[0-9]{3}[0-9Xx]", _cn),
    _scheme("FR", rf"[12]({_S}?)(?:[0-9]{{2}}\1){{2}}(?:[0-9]{{2}}|2[AB])\1"
            rf"(?:[0-9]{{3}}\1){{2}}[0-9]{{2}}", _fr),
    _scheme("FR", rf"[12]({_S}?)(?:[0-9]{{2}}\1){{2}}(?:[0-9]{{2}}|2[AB])\1"
            rf"[0-9]{{3}}\1[0-9]{{3}}(?: ?[-/] ?| )[0-9]{{2}}", _fr),
    _scheme("DE", r"[1-9][0-9]([ \u00a0/\-]?)[0-9]{3}\1[0-9]{3}\1[0-9]{3}", _de),
    _scheme("ES", r"(?:[0-9]{8}|[0-9]{2}\.[0-9]{3}\.[0-9]{3})-?[A-Z]", _es),
    _scheme("ES", r"[XYZ]-?[0-9]{7}-?[A-Z]", _es),
    _scheme("BR", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _br),
    _scheme("BR", r"[0-9]{9}[\- ]?[0-9]{2}", _br, r"\bCPF\b"),
    _scheme("GB", rf"[0-9]{{3}}({_S}?)[0-9]{{3}}\1[0-9]{{4}}", _gb, r"\bNHS\b"),
    _scheme("NL", rf"(?:[0-9]{{3}}({_S}?)[0-9]{{3}}\1[0-9]{{3}}"
            r"|[0-9]{4}\.[0-9]{2}\.[0-9]{3})",
            _nl, r"\b(?:BSN|burgerservicenummer|sofi-?(?:nummer)?)\b"),
    _scheme("US", r"[0-9]{3}([ \-]?)[0-9]{2}\1[0-9]{4}", _us,
            r"\b(?:SSN|social security)\b|社会安全|社会保障"),
)  # fmt: skip


@register("national_id")
class NationalId(Finder):
    """11010519491231002X, 12345678Z, 123.456.789-09"""

    rank = 6
    label = "ID"

    def find(self, text: str) -> list[PiiSpan]:
        found: list[PiiSpan] = []
        for match in _START.finditer(text):
            if found and match.start() < found[-1].stop:
                continue
            if item := self._at(text, match.start()):
                found.append(item)
        return found

    def _at(self, text: str, start: int) -> PiiSpan | None:
        context = best = None
        if start and text[start - 1] in "XYZ":
            start -= 1
        elif start > 1 and text[start - 1] == "-" and text[start - 2] in "XYZ":
            start -= 2
        if joined(text, start - 1):
            return None
        for scheme in SCHEMES:
            match = scheme.pattern.match(text, start)
            if not match or (best and match.end() <= best.stop):
                continue
            if not scheme.check(self.normal(match[0])):
                continue
            if scheme.names:
                context = before(text, start) if context is None else context
                if not scheme.names.search(context):
                    continue
            best = PiiSpan(start, match.end(), self.kind, scheme.country)
        return best
