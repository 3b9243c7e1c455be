"""Words that a typesetter broke at the end of a line: joined, with their hyphen where it is theirs.

The document itself is the first witness; a short list of English compounds and the shape of the
halves decide what it does not say.
"""

import re
from collections import Counter
from functools import cached_property

MARK = "\ufffe"
"""Where a line ended with a hyphen; U+FFFE is no character, so nothing else means it."""

_TAIL = 80
"""Characters of a word that are looked at: nothing that is broken at a hyphen is longer."""
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST = re.compile(r"(?<![^\W_])(?<![^\W_][-'’.])[^\W_]+(?:[-'’.][^\W_]+)*\Z")
_ADDRESS = re.compile(r"(?<!\S)(?=\S*?(?:://|www\.|@))\S+\Z")
_FIRST = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_BEFORE = {
    "self": _words("ish ishly ishness less lessly lessness ie ies hood same"),
    "well": _words("ness ing ed ington head heads spring come"),
    "long": _words("ing ings er est evity itude itudes itudinal itudinally ed time hand bow ish"),
    "short": _words(
        "er est en ens ened ening age ages ly ness cut cuts hand fall falls coming ish"
    ),
    "high": _words("er est ly ness light lights lighted lighting land lands way ways school brow"),
    "low": _words("er ers ered ering est land lands ly liness"),
    "half": _words("way time pipe penny"),
    "full": _words("er est y ness back backs"),
    "vice": _words("s roy roys"),
    "cross": _words("ing ings ed es er over overs word words road roads bow fire talk wise"),
    "year": _words("ly ling lings book books end ends ning ned"),
    **dict.fromkeys(_TENS, _words("fold ish some s")),
    "so": frozenset(),
}
"""First halves of English compounds; with the second halves given they make one word."""
_BEHIND = _words(
    "based known term oriented related driven specific friendly dependent minded level scale year"
    " century powered funded born speaking looking called quality class ranging standing led"
    " making thirds quarters fifths"
)
"""Second halves of English compounds."""
_PREFIXES = _words(
    "un re in im dis mis over under out inter non pre post sub super up fore cor en be ac com de"
    " con trans new"
)
"""These make one word with them: unknown, related, independent."""
_VOWELS = _words("anti semi multi ultra intra extra infra contra")
"""These keep a hyphen before the vowel that they end with: anti-inflammatory."""
_AND = _words("und oder bzw sowie and or och eller tai")
"""After a hyphen that stands for the second half of a later word, as in "Vor- und Nachteile"."""


class Hyphens:
    """Rejoins the words of one document. text: all of it, with MARK where lines were broken."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _seen(self) -> Counter[str]:
        """How often the document has each word that it does not break."""
        whole = " ".join(word for word in self._text.lower().split() if MARK not in word)
        return Counter(_WORD.findall(whole))

    def rejoin(self, text: str) -> str:
        """A part of the document without marks."""
        pieces = text.split(MARK)
        out = pieces[:1]
        for piece in pieces[1:]:
            before, after = _LAST.search(out[-1][-_TAIL:]), _FIRST.match(piece[:_TAIL])
            if before is None or after is None or _ADDRESS.search(out[-1][-_TAIL:]):
                out.append("-")
            else:
                out.append(self._between(before[0], after[0]))
            out.append(piece)
        return "".join(out)

    def _between(self, left: str, right: str) -> str:
        """What stands between the halves of a word: nothing, a hyphen, or a hyphen and a blank."""
        low, high = left.lower(), right.lower()
        joined, apart = self._seen[low + high], self._seen[f"{low}-{high}"]
        if joined != apart:
            return "" if joined > apart else "-"
        if high in _AND:
            return "- "
        return "-" if _is_shaped_apart(left, right) or _is_compound(low, high) else ""


def _is_shaped_apart(left: str, right: str) -> bool:
    """Digits, a capital in the middle, an abbreviation or a compound of several words."""
    if left[-1].isdigit() or right[0].isdigit() or len(left) == 1 or "-" in left:
        return True
    if left.isupper():
        return not right.isupper()
    return right[0].isupper()


def _is_compound(left: str, right: str) -> bool:
    if left in _VOWELS and left[-1] == right[0]:
        return True
    if left in _BEFORE:
        return right not in _BEFORE[left]
    return right.split("-")[0] in _BEHIND and left not in _PREFIXES and len(left) > 2
