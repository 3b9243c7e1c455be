"""Text that hardly swears: the share of its words that are on a list (Laurençon et al. 2022)."""

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pydantic

from hornbook.core.errors import UsageError
from hornbook.core.lines import lines_of
from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts, grams

# fmt: off
_ENGLISH = (
    "fuck", "fucks", "fucked", "fucker", "fuckers", "fucking", "motherfucker", "motherfuckers",
    "motherfucking", "shit", "shits", "shitty", "bullshit", "bitch", "bitches",
    "bastard", "bastards", "asshole", "assholes", "arsehole", "arseholes", "dumbass",
    "dickhead", "dickheads", "cunt", "cunts", "twat", "twats", "wanker", "wankers", "cocksucker",
    "cocksuckers", "slut", "sluts", "whore", "whores", "douchebag", "douchebags",
)
# fmt: on
"""Vulgar words that hardly mean anything else. Names of groups of people are not among them: lists
that have them drop what these groups write of themselves (Dodge et al. 2021, arXiv 2104.08758)."""

Phrases = tuple[tuple[int, np.ndarray], ...]
"""(words, sorted hashes) of phrases of one word, of two..."""


@register("toxic_words")
class ToxicWords(Rule):
    """words: a UTF-8 file with a word or phrase a line; None: a short list of English swearwords.

    most: share of words kept that are listed or in a listed phrase. ASCII letters count in any
    case, and ASCII punctuation as a space, in text and list. The built-in list judges English only,
    a file all languages; of Chinese and Japanese, where a word here is one character, it lists
    phrases.
    """

    reason: ClassVar[str] = "many vulgar words"
    reason_zh: ClassVar[str] = "粗俗词语过多"
    source: ClassVar[str] = (
        "ROOTS, arXiv 2303.03915, filters by the share of flagged words; 0.01 is what its "
        "published parameters have for English, with a longer list. C4, arXiv 1910.10683, drops "
        "pages with any listed word"
    )
    hits: ClassVar[tuple[str, ...]] = (
        "Shut up, you BASTARD! What a load of shit.",
        "the bitch is back",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "Scunthorpe is a town in Lincolnshire, and Shitterton a hamlet in Dorset.",
    )

    words: str | None = None
    most: float = 0.01

    @pydantic.field_validator("words")
    @classmethod
    def _is_list(cls, words: str | None) -> str | None:
        _phrases(words)
        return words

    def files(self) -> tuple[Path, ...]:
        return () if self.words is None else (Path(self.words),)

    def measure(self, texts: Texts) -> np.ndarray:
        folded = texts.folded()
        words, hashes = folded.words, folded.word_hashes
        toxic = np.zeros(len(hashes), bool)
        for size, listed in _phrases(self.words):
            found, places = grams(hashes, words.owners, size)
            nearest = listed[np.searchsorted(listed, found) % len(listed)]
            hit = places[nearest == found]
            for i in range(size):
                toxic[hit + i] = True
        values = share(folded.per_document(words, toxic), folded.per_document(words))
        if self.words is None:
            values[texts.languages != "en"] = np.nan
        return values


def _phrases(path: str | None) -> Phrases:
    """Raises UsageError for a list that cannot be read or is empty."""
    if path is None:
        return _hashed(_ENGLISH)
    try:
        state = Path(path).stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UsageError(f"Cannot read the list of words {path}: {error.strerror}.") from None


@lru_cache(maxsize=8)
def _read(path: str, changed: int, size: int) -> Phrases:
    """Read a list; `changed` and `size` are there to tell it from what was read."""
    try:
        found = _hashed(tuple(lines_of(Path(path).read_text(encoding="utf-8-sig"))))
    except UnicodeDecodeError as error:
        raise UsageError(f"The list of words {path} is not UTF-8: {error}.") from None
    if not found:
        raise UsageError(f"The list of words {path} is empty.")
    return found


@lru_cache(maxsize=8)
def _hashed(lines: tuple[str, ...]) -> Phrases:
    texts = Texts(lines).folded()
    sizes = texts.per_document(texts.words)
    found = []
    for size in np.unique(sizes[sizes > 0]).tolist():
        hashes, places = grams(texts.word_hashes, texts.words.owners, size)
        whole = sizes[texts.words.owners[places]] == size
        found.append((size, np.unique(hashes[whole])))
    return tuple(found)
