"""Telephone numbers: international ones, national styles of the US, UK, DE, FR and CN, and any
country's behind a word such as "phone" or 电话.

Knows country codes, lengths and usual groups; does not know which numbers are given out. A bare
run of digits counts where it looks like a mobile or a British number, or behind such a word. An
extension is part of a find; a pseudonym is that of the number without it.
"""

import re

from hornbook.corpus.pii.contract import WORD, Finder, PiiSpan, before, is_ordered, register
from hornbook.corpus.pii.phone_words import (
    after_extension,
    fewest_digits,
    is_sure,
    without_extension,
)

_START = re.compile(
    rf"[+(0-9](?<![{WORD}+$€£¥#/].)(?<![0-9\0][.,:/\-].)(?=[0-9 ()./\-+\u00a0]{{6}})"
)
_END = re.compile(rf"(?!(?!x[0-9]{{1,6}}(?![{WORD}]))[{WORD}]|[.,:\-][0-9\0])")
"""Nothing goes on here but an extension."""
_GROUP = re.compile(r"(?: ?/ ?|[ .\-\u00a0](?=[(0-9])|)(?:\(([0-9]{1,5})\) ?|([0-9]{1,15}))")
_PREFIX = re.compile(r"\(\+([1-9][0-9]{0,2})\)|(?:\+|00 ?)([1-9][0-9]{0,14})")
_TRUNK = re.compile(r"(?:\((0[1-9][0-9]{0,4})\)|(0[1-9][0-9]{0,10}))")
_US = re.compile(
    r"(?:1[ .\-])?(?:\((?P<area>[2-9][0-9]{2})\)[ \-]?|(?P<bare>[2-9][0-9]{2})(?P<joint>[ .\-]))"
    r"[2-9][0-9]{2}(?P<last>[ .\-])[0-9]{4}"
)
_US_BARE = re.compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")
_CN = re.compile(r"(?:86[ \-]?)?1[3-9][0-9]([ \-]?)[0-9]{4}\1[0-9]{4}")
_PAIRS = re.compile(r"0[1-9](?:([ .\-])[0-9]{2}(?:\1[0-9]{2}){3})")
_RUN = re.compile(r"0[67][0-9]{8}|0[1-9][0-9]{9}|01[5-7][0-9]{8,9}")
"""Written without spaces: a French mobile, any of the UK's eleven digits, a German mobile."""
_WORDED = re.compile(
    r"[+(]?[0-9]{1,15}(?:[)]?(?: ?[/\-] ?|[ .\u00a0]|(?=\())[(]?[0-9]{1,11}|\)[0-9]{1,11}){0,7}"
)
_NO_PHONE = re.compile(
    r"(?:19|20)[0-9]{2}[\-/.](?:19|20)[0-9]{2}\Z|(?:19|20)[0-9]{2}([\-/.])[0-9]{1,2}\1[0-9]{1,2}\Z"
    r"|[0-9]+\.[0-9]+\Z|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z"
)
"""Years, dates, decimal numbers and internet addresses."""
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[ .\u00a0][0-9]{3})+\Z")
_DATE = re.compile(r"[0-9]{1,2}([./\- ])[0-9]{1,2}\1[0-9]{4}(?![0-9])")
_NAMED = re.compile(
    r"\b(?:tel|tele?fon|phone|telephone|mobile?|cell|fax|call|dial|ring|text|sms|whatsapp|hotline|helpline"
    r"|handy|mobil|ruf|rufen|anruf|durchwahl|reach|portable|tél)\b|电话|手机|致电|拨打|传真|热线"
    r"|联系|微信",
    re.IGNORECASE | re.ASCII,
)
_TWO = {20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67)}
_TWO |= {81, 82, 84, 86, *range(90, 96), 98}
_THREE = {*range(21, 27), 29, 35, 37, 38, 42, 50, 59, *range(67, 70), 80, 85, 87, 88, 96, 97, 99}
"""First two digits of the country codes that have three."""
_LENGTHS = {
    "1": (10, 10),
    "7": (10, 10),
    "31": (9, 9),
    "32": (8, 9),
    "33": (9, 9),
    "34": (9, 9),
    "39": (8, 11),
    "41": (9, 9),
    "43": (7, 13),
    "44": (9, 10),
    "45": (8, 8),
    "46": (7, 9),
    "47": (8, 8),
    "48": (9, 9),
    "49": (7, 11),
    "55": (10, 11),
    "61": (9, 9),
    "81": (9, 10),
    "82": (8, 10),
    "86": (10, 11),
    "91": (10, 10),
}
"""Fewest and most digits after a country code; (7, 12) for the others (ITU-T E.164)."""
_DIGITS = re.compile("[^0-9]+")


def country_code(digits: str) -> str | None:
    """The country code that a number begins with, or None."""
    if digits[:1] in ("1", "7"):
        return digits[0]
    two = int(digits[:2] or 0)
    if two in _TWO:
        return digits[:2]
    return digits[:3] if two in _THREE and len(digits) > 2 else None


def _walk(text: str, at: int, digits: int, least: int, most: int) -> int | None:
    """Where a number ends that has `digits` digits up to `at`: the last fitting group's end."""
    stop = at if digits >= least and _END.match(text, at) else None
    for _ in range(8):
        match = _GROUP.match(text, at)
        if not match:
            break
        digits += len(match[2] or match[1]) if match[1] != "0" else 0
        if digits > most:
            break
        at = match.end()
        if digits >= least and _END.match(text, at):
            stop = at
    return stop


@register("phone")
class Phone(Finder):
    """+49 (0)30 1234567, (212) 555-0123, 020 7946 0958, 01 23 45 67 89, 138 1234 5678"""

    rank = 1
    label = "PHONE"

    def find(self, text: str) -> list[PiiSpan]:
        found: list[PiiSpan] = []
        for match in _START.finditer(text):
            start = match.start()
            if found and start < found[-1].stop:
                continue
            rest = self._after_number(text, start) and not (found and found[-1].stop == start - 1)
            item = (
                self._international(text, start, rest)
                or self._national(text, start, rest)
                or self._worded(text, start)
            )
            if item and (not is_ordered(text, start) or fewest_digits(text, start)):
                found.append(item._replace(stop=after_extension(text, item.stop)))
        return found

    @staticmethod
    def _worded(text: str, start: int) -> PiiSpan | None:
        """A number of any plan, behind a word for one."""
        fewest = fewest_digits(text, start)
        match = _WORDED.match(text, start) if fewest else None
        if not fewest or not match or not _END.match(text, match.end()):
            return None
        digits = len(_DIGITS.sub("", match[0]))
        if not fewest <= digits <= 15 or _NO_PHONE.match(match[0]):
            return None
        if _DATE.match(text, start) or (
            _THOUSANDS.match(match[0]) and digits < 9 and not is_sure(text, start)
        ):
            return None
        return PiiSpan(start, match.end(), Phone.kind)

    def _international(self, text: str, start: int, rest: bool) -> PiiSpan | None:
        match = _PREFIX.match(text, start)
        digits = (match[1] or match[2]) if match else ""
        code = country_code(digits)
        if not match or not code or (text[start] == "0" and rest):
            return None
        least, most = _LENGTHS.get(code, (7, 12))
        given = len(digits) - len(code)
        stop = _walk(text, match.end(), given, least, most) if given <= most else None
        if not stop or (text[start:stop].isdigit() and not self._named(text, start)):
            return None  # account numbers begin with 00 as well
        return PiiSpan(start, stop, self.kind, f"+{code}")

    def _national(self, text: str, start: int, rest: bool) -> PiiSpan | None:
        if (match := _CN.match(text, start)) and _END.match(text, match.end()):
            return PiiSpan(start, match.end(), self.kind, "+86")
        if (match := _US.match(text, start)) and _END.match(text, match.end()):
            spaced = match["joint"] == match["last"] == " "
            area = match["area"] or match["bare"]
            named = self._named(text, start) or after_extension(text, match.end()) > match.end()
            if area[1:] != "11" and (not spaced or named):
                return PiiSpan(start, match.end(), self.kind, "+1")
        if (match := _US_BARE.match(text, start)) and _END.match(text, match.end()):
            return (
                PiiSpan(start, match.end(), self.kind, "+1") if self._named(text, start) else None
            )
        stop = None if rest else self._trunk(text, start)
        return PiiSpan(start, stop, self.kind) if stop else None

    def _trunk(self, text: str, start: int) -> int | None:
        """The end of a number that begins with a trunk 0 and an area code."""
        match = _TRUNK.match(text, start)
        if not match or _DATE.match(text, start):
            return None
        if (pairs := _PAIRS.match(text, start)) and _END.match(text, pairs.end()):
            return pairs.end()
        head = match[1] or match[2]
        named = self._named(text, start)
        if len(head) > 5 and not named and not _RUN.fullmatch(head):
            return None
        least = 9 if named or len(head) > 5 else 10
        return _walk(text, match.end(), len(head), least, 12)

    @staticmethod
    def _named(text: str, start: int) -> bool:
        return _NAMED.search(before(text, start)) is not None

    @staticmethod
    def _after_number(text: str, start: int) -> bool:
        """Whether a group of digits stands before: then this is the rest of something longer."""
        return start > 1 and text[start - 1] in " \u00a0" and text[start - 2] in "0123456789"

    def normal(self, value: str) -> str:
        """Digits after a +. A national number gets the country that its style is sure of."""
        text = without_extension(value).replace("(0)", "")
        digits = _DIGITS.sub("", text)
        if text.lstrip("(").startswith("+"):
            return f"+{digits}"
        if digits.startswith("00"):
            return f"+{digits[2:]}"
        if digits.startswith("0"):
            return digits
        if _CN.fullmatch(digits):
            return f"+86{digits[-11:]}"
        return f"+1{digits[-10:]}"
