"""Digits, signs and blanks of other scripts as those of ASCII, each at its place.

What a finder finds in the plain text stands at the same place in the original. Knows Unicode;
knows nothing of personal data.
"""

import re

_ZEROS = "٠۰०০੦૦௦๐໐０"
"""The zeros of scripts in which people write telephone numbers; the other digits follow each."""
_DIGITS = {chr(ord(zero) + i): str(i) for zero in _ZEROS for i in range(10)}
_ANY = re.compile("[" + "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS) + "]")
_SIGNS = dict.fromkeys("‐‑‒–−－", "-") | dict(zip("＋（）．／", "+()./", strict=True))
_SIGNS |= dict.fromkeys("\u2002\u2003\u2007\u2009\u202f\u3000", "\u00a0")


def plain(text: str) -> str:
    """The text with the digits, signs and blanks that finders look for; as long as it was."""
    if text.isascii():
        return text
    # A search for one character takes a twentieth of the time of a table.
    for sign, common in _SIGNS.items():
        if sign in text:
            text = text.replace(sign, common)
    return _ANY.sub(lambda match: _DIGITS[match[0]], text) if _ANY.search(text) else text
