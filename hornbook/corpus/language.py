"""Which language a text is written in, by CLD2 (a naive Bayes classifier of letter groups).

CLD2 names one of its languages for any text; what its score or the text's letters contradict is
unknown here.
"""

import re
from typing import NamedTuple

from hornbook.corpus.language_codes import OTHER_NAMES, is_language
from hornbook.corpus.language_scores import believable

UNKNOWN = ""
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_CONTROL = re.compile(
    rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]"
)
_PIECE, _PIECES = 5_000, 4
"""Characters of each part of a long text that are looked at, and how many parts, evenly spread: a
book's first pages may be in another language than the rest."""
_ADDRESS = re.compile(r"(?<!\S)(?=\S*?(?:://|@))\S+|\bwww\.\S+")
_OFTEN = 80
"""Addresses count as text where they are rarer than one in so many characters."""
_KANA = re.compile("[\u3041-\u30ff]")
_FEWEST_WITHOUT_KANA = 20
"""A title may do without; a text in Japanese does not."""
_FOREIGN = {
    "my": re.compile("[\u1022\u1028\u1033-\u1035\u1056-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff]"),
    "iu": re.compile("[\u141c-\u1428\u143a-\u1443]"),
    "sr": re.compile("[йщъыьэюяёіїєґўѓќ]", re.IGNORECASE),
}
"""Letters of other languages in a script that CLD2 takes for one language, or confuses: of Shan,
Mon and Karen; of Cree and Ojibwe; of Cyrillic that Serbian does without."""
_FOREIGN_SHARE = 0.02
_CYRILLIC = (
    ("be", re.compile("[ў]", re.IGNORECASE)),
    (UNKNOWN, re.compile("[әғқңөұүһҡҫҙӑӗҋӳӧӱҳҷӣӯ]", re.IGNORECASE)),
    ("uk", re.compile("[їєґ]", re.IGNORECASE)),
    ("ru", re.compile("[ыэё]", re.IGNORECASE)),
    ("mk", re.compile("[ѓќѕ]", re.IGNORECASE)),
    ("bg", re.compile("[ъщ]", re.IGNORECASE)),
)
"""Letters that only one of the Slavic languages has, in the order in which they decide."""


class Language(NamedTuple):
    """code: ISO 639-1 or, where it has none, 639-2; "" for unknown. share: of the text in it."""

    code: str
    share: float


_NONE = Language(UNKNOWN, 0.0)


def language_of(text: str) -> Language:
    """The language that most of a text is written in; of a long text, that most of a sample is."""
    if len(text) > _PIECES * _PIECE:
        last = len(text) - _PIECE
        starts = (last * i // (_PIECES - 1) for i in range(_PIECES))
        text = "\n".join([text[start : start + _PIECE] for start in starts])
    if (text.count("://") + text.count("@")) * _OFTEN > len(text):
        text = _ADDRESS.sub(" ", text)
    return _detect(text)


def _detect(text: str) -> Language:
    import pycld2

    try:
        _, size, found = pycld2.detect(text, isPlainText=True, bestEffort=True)
    except (pycld2.error, UnicodeEncodeError):
        # CLD2 refuses the characters that XML refuses; looking for them first takes more time.
        clean = _CONTROL.sub(" ", text)
        return _detect(clean) if clean != text else _NONE
    _, code, percent, score = found[0]
    if not is_language(code):
        return _NONE
    code = OTHER_NAMES.get(code, code)
    if code == "ja" and len(text) >= _FEWEST_WITHOUT_KANA and not _KANA.search(text):
        return Language("zh", percent / 100)  # of old poems CLD2 is not sure
    if not believable(code, score, size):
        return _NONE
    return Language(_by_letters(code, text), percent / 100)


def _by_letters(code: str, text: str) -> str:
    """The language, or another or none where the letters contradict."""
    foreign = _FOREIGN.get(code)
    if foreign is None or len(foreign.findall(text)) <= _FOREIGN_SHARE * len(text):
        return code
    if code == "sr":
        return next((other for other, letters in _CYRILLIC if letters.search(text)), UNKNOWN)
    return UNKNOWN
