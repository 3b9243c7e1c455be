"""Numbers of payment cards: 12 to 19 digits in the usual groups, Luhn's check digit, an issuer.

Knows the issuers' prefixes and lengths (ISO/IEC 7812 and the schemes' public tables); does not
know whether a card was ever issued.
"""

import re

from hornbook.corpus.pii.contract import WORD, Finder, PiiSpan, before, is_ordered, register

_START = re.compile(
    rf"[1-9](?<![{WORD}].)(?<![0-9\0][.,\-].)(?<![0-9a-f]{{4}}-.)"
    r"(?=[0-9]{3}(?:[ \u00a0\-.]?[0-9]{4}|[0-9]{2}[ \u00a0\-][0-9]{13}))"
)
_END = rf"(?![{WORD}]|[.,\-][0-9\0])"
_SEPARATED = (
    r"[0-9]{4}([ \u00a0\-.])(?:(?:[0-9]{4}\1){2,3}[0-9]{1,4}(?:\1[0-9]{1,3})?|[0-9]{4}\1[0-9]{4,5}"
    r"|[0-9]{6}\1[0-9]{4,5})|[0-9]{6}[ \u00a0\-][0-9]{13}"
)
_NUMBER = re.compile(rf"(?:[0-9]{{12,19}}|{_SEPARATED}){_END}")
_SHORTER = re.compile(rf"[0-9]{{4}}([ \u00a0\-.])[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}{_END}")
_NAMED = re.compile(
    r"\b(?:visa|master ?card|maestro|amex|american express|jcb|diners|discover|union ?pay|mir|rupay"
    r"|elo|troy|(?:credit|debit|bank|kredit|giro|pay\w*) ?-?(?:card|karte)s?"
    r"|card(?: ?(?:no|number|#))?|karten?(?:nummer)?|cb|carte|carta|tarjeta|cart[aã]o|pan|cc)\b"
    r"|卡号|卡號|银行卡|銀行卡|信用卡|借记卡"
    r"|カード|카드|карт",
    re.IGNORECASE | re.ASCII,
)

_LONG = (16, 17, 18, 19)
_ISSUERS = (
    ("visa", range(4000, 5000), (13, 16, 19)),
    ("mastercard", range(5100, 5600), (16,)),
    ("mastercard", range(2221, 2721), (16,)),
    ("amex", range(3400, 3500), (15,)),
    ("amex", range(3700, 3800), (15,)),
    ("diners", range(3000, 3060), (14, 16, 19)),
    ("diners", range(3095, 3096), (14, 16, 19)),
    ("diners", range(3600, 3700), (14, 16, 19)),
    ("diners", range(3800, 4000), (14, 16, 19)),
    ("discover", range(6011, 6012), _LONG),
    ("discover", range(6440, 6600), _LONG),
    ("unionpay", range(6200, 6300), _LONG),
    ("unionpay", range(8100, 8172), _LONG),
    ("jcb", range(3528, 3590), _LONG),
    ("jcb", range(2131, 2132), (15,)),
    ("jcb", range(1800, 1801), (15,)),
    ("mir", range(2200, 2205), _LONG),
    ("rupay", range(5080, 5090), (16,)),
    ("rupay", range(6060, 6090), (16,)),
    ("rupay", range(8200, 8300), (16,)),
    ("elo", range(5066, 5068), (16,)),
    ("elo", range(6362, 6363), (16,)),
    ("elo", range(6504, 6506), (16,)),
    ("troy", range(9792, 9793), (16,)),
    ("dankort", range(5019, 5020), (16,)),
    ("verve", range(5060, 5062), (16, 18, 19)),
    ("maestro", range(6759, 6764), (12, 13, 14, 15, 16, 17, 18, 19)),
    *(
        ("maestro", range(n, n + 1), (12, 13, 14, 15, 16, 17, 18, 19))
        for n in (5018, 5020, 5038, 5893, 6304, 6390)
    ),
)
"""Issuer, first four digits, lengths."""
_BY_PREFIX = {str(n): (name, lengths) for name, prefixes, lengths in _ISSUERS for n in prefixes}
_MAESTRO = ("50", "56", "57", "58", "6")
"""What else Maestro gave out: behind a word for a card only, as fewer than 13 digits in a row."""
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

    def find(self, text: str) -> list[PiiSpan]:
        found: list[PiiSpan] = []
        for start in _START.finditer(text):
            at = start.start()
            if found and at < found[-1].stop:
                continue
            # A short group behind 16 digits may be a security code: then the shorter one is right.
            stop = at
            for pattern in (_NUMBER, _SHORTER):
                match = pattern.match(text, at)
                if not match or match.end() == stop:
                    break
                stop = match.end()
                if issuer := self._issuer(text, at, match[0]):
                    found.append(PiiSpan(at, stop, self.kind, issuer))
                    break
        return found

    def _issuer(self, text: str, at: int, value: str) -> str | None:
        """Who gave the number out; None for what is no card's."""
        digits = self.normal(value)
        name, lengths = _BY_PREFIX.get(digits[:4], ("", ()))
        sure = len(digits) in lengths and (len(value) > len(digits) or len(digits) > 12)
        may = digits.startswith(_MAESTRO) and 12 <= len(digits) <= 19
        if not (sure or may) or not luhn(digits):
            return None
        named = _NAMED.search(before(text, at))
        if not named and (not sure or (value == digits and is_ordered(text, at))):
            return None
        return name if sure else "maestro"

    def normal(self, value: str) -> str:
        return value.translate(_JOINTS)
