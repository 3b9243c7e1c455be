"""Which language a text is written in, by CLD2 (a naive Bayes classifier of letter groups).

Knows texts and ISO 639-1 codes; knows nothing of files.
"""

import re
from typing import NamedTuple

from hornbook.corpus.language_codes import INVENTED, OTHER_NAMES

UNKNOWN = ""
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_CONTROL = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
_PIECE, _PIECES = 5_000, 4
"""Characters of each part of a long text that are looked at, and how many parts, evenly spread: a
book's first pages may be in another language than the rest."""


class Language(NamedTuple):
    """code: ISO 639-1 or, where it has none, 639-2; "" for unknown. share: of the text in it."""

    code: str
    share: float


def language_of(text: str) -> Language:
    """The language that most of a text is written in; of a long text, that most of a sample is."""
    if len(text) > _PIECES * _PIECE:
        last = len(text) - _PIECE
        starts = (last * i // (_PIECES - 1) for i in range(_PIECES))
        text = "\n".join([text[start : start + _PIECE] for start in starts])
    return _detect(text)


def _detect(text: str) -> Language:
    import pycld2

    try:
        _, _, found = pycld2.detect(text, bestEffort=True)
    except pycld2.error:
        # CLD2 refuses the characters that XML refuses; looking for them first takes more time.
        clean = _CONTROL.sub(" ", text)
        return _detect(clean) if clean != text else Language(UNKNOWN, 0.0)
    _, code, percent, _ = found[0]
    code = OTHER_NAMES.get(code, code)
    if code == "un" or code in INVENTED:
        return Language(UNKNOWN, 0.0)
    return Language(code, percent / 100)
