"""International bank account numbers (ISO 13616): country, length and check digits by mod 97.

Knows each country's length (SWIFT's registry), not the structure inside it nor any bank.
"""

import re

from hornbook.corpus.pii.contract import WORD, Finder, Found, joined, register

# The scan stops at digits, which are rarer than capitals; the country stands before.
_START = re.compile(
    rf"[0-9](?<=[A-Z][A-Z].)(?<![{WORD}][A-Z]{{2}}.)[0-9](?=[ \u00a0\-]?[0-9A-Z]{{4}})"
)
_ACCOUNT = re.compile(r"(?:[ \u00a0\-]?[0-9A-Z]){11,32}")
_SEPARATORS = frozenset(" \u00a0-")

_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
LENGTHS = {item[:2]: int(item[2:]) for item in _LENGTHS.split()}


def mod97(iban: str) -> bool:
    """Whether an IBAN without separators passes: letters are 10 to 35, the first four go last."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


@register("iban")
class Iban(Finder):
    """DE89 3704 0044 0532 0130 00"""

    rank = 5
    label = "IBAN"

    def find(self, text: str) -> list[Found]:
        found: list[Found] = []
        for match in _START.finditer(text):
            start = match.start() - 2
            country = text[start : start + 2]
            length = LENGTHS.get(country)
            account = _ACCOUNT.match(text, match.end()) if length else None
            if not length or not account or (found and start < found[-1].stop):
                continue
            stop, left = match.end(), length - 4
            while left and stop < account.end():
                left -= text[stop] not in _SEPARATORS
                stop += 1
            if not left and not joined(text, stop) and mod97(self.normal(text[start:stop])):
                found.append(Found(start, stop, self.kind, country))
        return found
