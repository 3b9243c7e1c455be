"""Numbers of payment cards: 13 to 19 digits in the usual groups, Luhn's check digit, an issuer.

Knows the issuers' prefixes and lengths (ISO/IEC 7812 and the schemes' public tables); does not
know whether a card was ever issued.
"""

import re

from hornbook.corpus.pii.contract import WORD, Finder, Found, register

_START = re.compile(rf"[2-6](?<![{WORD}].)(?<![0-9\0][.,\-].)(?=[0-9]{{3}}[ \u00a0\-.]?[0-9]{{4}})")
_SEPARATED = (
    r"[0-9]{4}([ \u00a0\-.])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?"
    r"|[0-9]{6}\1[0-9]{4,5})"
)
_NUMBER = re.compile(rf"(?:[0-9]{{13,19}}|{_SEPARATED})(?![{WORD}]|[.,\-][0-9\0])")
_SHORTER = re.compile(
    rf"[0-9]{{4}}([ \u00a0\-.])[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?![{WORD}]|[.,\-][0-9\0])"
)

_ISSUERS = (
    ("visa", range(4000, 5000), (13, 16, 19)),
    ("mastercard", range(5100, 5600), (16,)),
    ("mastercard", range(2221, 2721), (16,)),
    ("amex", range(3400, 3500), (15,)),
    ("amex", range(3700, 3800), (15,)),
    ("diners", range(3000, 3060), (14,)),
    ("diners", range(3600, 3700), (14,)),
    ("diners", range(3800, 4000), (14, 16)),
    ("discover", range(6011, 6012), (16, 19)),
    ("discover", range(6440, 6600), (16, 19)),
    ("unionpay", range(6200, 6300), (16, 17, 18, 19)),
    ("jcb", range(3528, 3590), (16, 17, 18, 19)),
    ("mir", range(2200, 2205), (16, 17, 18, 19)),
    ("maestro", range(6759, 6764), (13, 14, 15, 16, 17, 18, 19)),
    *(("maestro", range(n, n + 1), (16, 17, 18, 19)) for n in (5018, 5020, 5038, 5893, 6304)),
)
"""Issuer, first four digits, lengths."""
_BY_PREFIX = {str(n): (name, lengths) for name, prefixes, lengths in _ISSUERS for n in prefixes}
_JOINTS = dict.fromkeys(map(ord, " \u00a0-."))
_DOUBLED = bytes.maketrans(b"0123456789", bytes(2 * n - 9 * (n > 4) for n in range(10)))


def luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's check digit of those before (ISO/IEC 7812-1, annex B)."""
    # As bytes: a table of numbers calls this for each group.
    codes = digits.encode()
    plain = codes[::-2]
    total = sum(plain) - ord("0") * len(plain) + sum(codes[-2::-2].translate(_DOUBLED))
    return total % 10 == 0


@register("card")
class Card(Finder):
    """4111 1111 1111 1111"""

    rank = 4
    label = "CARD"

    def find(self, text: str) -> list[Found]:
        found: list[Found] = []
        for start in _START.finditer(text):
            at = start.start()
            issuer = _BY_PREFIX.get(text[at : at + 4])
            if not issuer or (found and at < found[-1].stop):
                continue
            # A short group behind 16 digits may be a security code: then the shorter one is right.
            stop = at
            for pattern in (_NUMBER, _SHORTER):
                match = pattern.match(text, at)
                if not match or match.end() == stop:
                    break
                stop, digits = match.end(), self.normal(match[0])
                if len(digits) in issuer[1] and luhn(digits):
                    found.append(Found(at, stop, self.kind, issuer[0]))
                    break
        return found

    def normal(self, value: str) -> str:
        return value.translate(_JOINTS)
