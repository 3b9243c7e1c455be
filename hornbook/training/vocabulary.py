"""How large a vocabulary is, as far as the text's script decides: a character needs a token."""

import math
from typing import NamedTuple

_LEARNED, _REST = 1.25, 512
"""Tokens for each frequent character, as some go to pairs and to beginnings of characters, and for
bytes and the rest."""
_LEAST_BYTES = 200
"""Of text for each token: in less, most characters are seen too rarely for one of their own."""


class TextSize(NamedTuple):
    """bytes: of a text. characters: of how many beyond ASCII nearly all of it is written."""

    bytes: int
    characters: int = 0


def for_script(text: TextSize, vocab: int, reason: str) -> tuple[int, str]:
    """The vocabulary, or a larger power of two that holds the text's characters, and why.

    In Chinese a character of three bytes that is no token is spelled by two or three, which are
    learned apart: of 1.2 MB of articles, 17 % of the tokens were such pieces at 2,048 and 8 % at
    4,096.
    """
    if not text.characters:
        return vocab, reason
    needed = 2 ** math.ceil(math.log2(_LEARNED * text.characters + _REST))
    supported = 2 ** int(math.log2(max(1, text.bytes / _LEAST_BYTES)))
    if min(needed, supported) <= vocab:
        return vocab, reason
    return min(needed, supported), f"the text is written in {text.characters:,} characters"
