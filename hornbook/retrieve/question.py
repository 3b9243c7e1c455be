"""A question to the word index: its words in the terms of every language that the index holds.

Stop words are those of the language that the question is most likely in, by the stop words that it
has; they are asked for only where nothing else is left ("to be or not to be").
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from hornbook.retrieve.terms import analyser, runs, stemmed, stop_words

_LONGEST = 4000
"""Characters of a question; what is longer is a document."""
_ADDRESS = re.compile(
    r"^\s*(?:(?:please|bitte|can you|could you|kannst du|können sie|请问|请你?|能否|能不能)"
    r"[,，\s]*)*"
    r"(?:(?:tell|show|give) (?:me|us)|explain|describe|i (?:want|would like) to know|"
    r"(?:sag|sage|zeig|zeige|erklär|erkläre|beschreib|beschreibe)\b(?: mir)?|erzähle? mir|"
    r"告诉我|介绍(?:一下)?|说明(?:一下)?|我想知道)?",
    re.IGNORECASE,
)
"""How whoever answers is addressed: no word of what is asked for."""


class AskedWords(NamedTuple):
    """words: for each word the terms that it may stand for. terms: all of them."""

    words: list[tuple[str, ...]]
    terms: frozenset[str]


def asked_words(question: str, languages: Sequence[str]) -> AskedWords:
    """The words of a question. languages: of the documents of the index, by ISO code."""
    plain = unicodedata.normalize("NFKC", question[:_LONGEST])
    found = list(dict.fromkeys(runs(_ADDRESS.sub("", plain)) or runs(plain)))
    analysers = [analyser(language) for language in stemmed([*languages, ""])]
    low = [word.casefold() for word in found]
    asked = frozenset(low)
    stops = max(
        (stop_words(language) for language in languages),
        key=lambda words: len(words & asked),
        default=frozenset[str](),
    )
    kept = [word for word, plain in zip(found, low, strict=True) if plain not in stops] or found
    words: dict[tuple[str, ...], None] = {}
    for word in kept:
        # Of a script without spaces all terms stand beside one another; of a word one is meant.
        variants = dict.fromkeys(one.terms_of(word) for one in analysers)
        if len(variants) == 1 or any(len(terms) != 1 for terms in variants):
            words |= {(term,): None for terms in variants for term in terms}
        else:
            words[tuple(term for terms in variants for term in terms)] = None
    return AskedWords(list(words), frozenset(term for terms in words for term in terms))
