"""International bank account numbers (ISO 13616): country, length and check digits by mod 97.

Knows what each country's accounts are made of (SWIFT's registry), not any bank.
"""

import re

from hornbook.corpus.pii.contract import WORD, Finder, PiiSpan, joined, register

# The scan stops at digits, which are rarer than letters; the country stands before.
_START = re.compile(
    rf"[0-9](?<=[A-Za-z][A-Za-z].)(?<![{WORD}][A-Za-z]{{2}}.)[0-9](?=[ \u00a0\-]{{0,2}}[0-9A-Za-z])"
    rf"|[0-9](?<=[A-Za-z][A-Za-z][ \u00a0].)(?<![{WORD}][A-Za-z]{{2}}[ \u00a0].)"
    r"[0-9](?=[ \u00a0]?[0-9A-Za-z])"
)
_ACCOUNT = re.compile(r"(?:[ \u00a0\-]{0,2}[0-9A-Za-z]){11,32}")
_SEPARATORS = frozenset(" \u00a0-")

_ACCOUNTS = """
AD n8c12 AE n19 AL n8c16 AT n16 AZ a4c20 BA n16 BE n12 BG a4n6c8 BH a4c14 BI n23 BR n23a1c1
BY c4n4c16 CH n5c12 CR n18 CY n8c16 CZ n20 DE n18 DJ n23 DK n14 DO c4n20 EE n16 EG n25 ES n20 FI n14
FK a2n12 FO n14 FR n10c11n2 GB a4n14 GE a2n16 GI a4c15 GL n14 GR n7c16 GT c24 HN a4n20 HR n17 HU n24
IE a4n14 IL n19 IQ a4n15 IS n22 IT a1n10c12 JO a4n4c18 KW a4c22 KZ n3c13 LB n4c20 LC a4c24 LI n5c12
LT n16 LU n3c13 LV a4c13 LY n21 MC n10c11n2 MD c20 ME n18 MK n3c10n2 MN n16 MR n23 MT a4n5c18
MU a4n19a3 NI a4n20 NL a4n10 NO n11 OM n3c16 PK a4c16 PL n24 PS a4c21 PT n21 QA a4c21 RO a4c16
RS n18 RU n14c15 SA n2c18 SC a4n20a3 SD n14 SE n20 SI n15 SK n20 SM a1n10c12 SO n19 ST n21 SV a4n20
TL n19 TN n20 TR n6c16 UA n6c19 VA n18 VG a4n16 XK n16 YE a4n4c18
"""
"""Country, and what follows the check digits: n digits, a letters, c either."""
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}


def _shapes() -> dict[str, tuple[int, re.Pattern[str]]]:
    """By country: the length of its numbers, and a pattern of the account."""
    items = _ACCOUNTS.split()
    found = {}
    for country, account in zip(items[::2], items[1::2], strict=True):
        pieces = re.findall("([nac])([0-9]+)", account)
        pattern = "".join(f"{_CLASSES[kind]}{{{count}}}" for kind, count in pieces)
        found[country] = (4 + sum(int(count) for _, count in pieces), re.compile(pattern))
    return found


SHAPES = _shapes()


def mod97(iban: str) -> bool:
    """Whether an IBAN without separators passes: letters are 10 to 35, the first four go last."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


@register("iban")
class Iban(Finder):
    """DE89 3704 0044 0532 0130 00"""

    rank = 5
    label = "IBAN"

    def find(self, text: str) -> list[PiiSpan]:
        found: list[PiiSpan] = []
        for match in _START.finditer(text):
            start = match.start() - 2 - (text[match.start() - 1] in _SEPARATORS)
            country = text[start : start + 2].upper()
            length, shape = SHAPES.get(country, (0, _ACCOUNT))
            account = _ACCOUNT.match(text, match.end()) if length else None
            if not account or (found and start < found[-1].stop):
                continue
            stop, left = match.end(), length - 4
            while left and stop < account.end():
                left -= text[stop] not in _SEPARATORS
                stop += 1
            value = self.normal(text[start:stop])
            if not left and not joined(text, stop) and shape.fullmatch(value[4:]) and mod97(value):
                found.append(PiiSpan(start, stop, self.kind, country))
        return found
