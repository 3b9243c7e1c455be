"""From text to the terms of the word index: stems, stop words, characters and pairs of characters.

Words are compared in small letters and without accents. Scripts that write no spaces between words
give each character and each pair of neighbours. Knows texts; knows nothing of documents.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

_CLOSE = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, Kana, Han; and Hangul, whose words carry their endings."""
_RUN = re.compile(rf"[{_CLOSE}]+|[^\W_{_CLOSE}]+(?:['’.,][^\W_{_CLOSE}]+)*")
_IN_NUMBER = re.compile(r"\d[\d.,]*")
_MARKS = re.compile("[\u0300-\u036f]")
_LONGEST = 64
"""Characters of a term; longer ones are of no language."""

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque",
    "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""ISO codes, and what Snowball calls the languages."""


class Term(NamedTuple):
    """A term and the characters of the text it stands for."""

    text: str
    start: int
    end: int


def stemmed(languages: Iterable[str]) -> list[str]:
    """The languages that differ in their terms: "" stands for all that have no stems."""
    return sorted({language if language in _STEMMERS else "" for language in languages}) or [""]


def runs(text: str) -> list[str]:
    """The words of a text, and its stretches in scripts without spaces."""
    found: list[str] = _RUN.findall(text)
    return found


class Analyser:
    """The terms of texts in one language. Keeps what it knows of a word: texts repeat theirs."""

    def __init__(self, language: str) -> None:
        self._stem = _stemmer(language)
        self._known: dict[str, tuple[str, ...]] = {}

    def terms(self, text: str) -> list[str]:
        """All terms of a text, in its order, with those that are there more than once."""
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        known, found = self._known, list[str]()
        for run in _RUN.findall(text):
            terms = known.get(run)
            found += self._learn(run) if terms is None else terms
        return found

    def placed(self, text: str) -> Iterator[Term]:
        """As `terms`, with their places in the text as it is given."""
        for run in _RUN.finditer(text):
            start = run.start()
            if _is_close(run[0]):
                for i in range(len(run[0])):
                    yield Term(_plain(run[0][i]), start + i, start + i + 1)
                    if i:
                        yield Term(_plain(run[0][i - 1 : i + 1]), start + i - 1, start + i + 1)
            else:
                for term in self._learn(unicodedata.normalize("NFKC", run[0])):
                    yield Term(term, start, run.end())

    def _learn(self, run: str) -> tuple[str, ...]:
        """The terms of a run of letters."""
        if _is_close(run):
            return tuple(_close_terms(run))
        terms = self._known.get(run)
        if terms is None:
            terms = tuple(self._word_terms(run.casefold()))
            if len(self._known) < _MOST_KNOWN:
                self._known[run] = terms
        return terms

    def _word_terms(self, word: str) -> Iterator[str]:
        if len(word) > _LONGEST:
            return
        if "." in word or "," in word:
            if _IN_NUMBER.fullmatch(word):
                yield word
                return
            for part in re.split("[.,]", word):
                yield from self._word_terms(part)
            return
        yield _plain(self._stem(word.replace("’", "'")))


_MOST_KNOWN = 2**20


def _is_close(run: str) -> bool:
    return run[0] >= "\u0e00" and _CLOSE_RUN.match(run) is not None


_CLOSE_RUN = re.compile(f"[{_CLOSE}]")


def _close_terms(run: str) -> Iterator[str]:
    yield from run
    for i in range(len(run) - 1):
        yield run[i : i + 2]


def _plain(word: str) -> str:
    """Without accents, which are written or not."""
    if word.isascii():
        return word
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", word))
    return unicodedata.normalize("NFC", bare)


@cache
def analyser(language: str) -> Analyser:
    """The one of a language, by its ISO code; of one without stems, that of all others."""
    return Analyser(language if language in _STEMMERS else "")


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    if language not in _STEMMERS:
        return str
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer(_STEMMERS[language], 0).stemWord
    return stem


@cache
def stop_words(language: str) -> frozenset[str]:
    """Words that say nothing of what a text is about, in small letters."""
    return frozenset(_STOP_WORDS.get(language, "").split())


_STOP_WORDS = {
    "en": """
        a an and are as at be been being but by can could did do does for from had has have he her
        his how i if in into is it its many may me might much must my no not of on or our she
        should so some such than that the their them then there these they this those to was we
        were what when where which who whom why will with would you your
    """,
    "de": """
        aber als am an auch auf aus bei beim bis da damit dann das dass dem den denn der des die
        dies diese diesem diesen dieser dieses doch durch ein eine einem einen einer eines er es
        für hat hatte hatten haben ich ihm ihn ihr ihre im in ist kann man mit nach nicht noch nur
        ob oder sein seine sich sie sind so über um und uns unter viel viele vielen vom von vor war
        waren was welche welchem welchen welcher welches wenn wer werden wie wird wir wo wurde
        wurden zu zum zur
    """,
    "fr": """
        a à au aux avec ce ces cet cette comme dans de des du elle elles en est et été il ils je la
        le les leur leurs lui mais ne nous on ont ou où par pas pour qu que quel quelle quelles
        quels qui sa se ses son sont sur un une vous
    """,
    "es": """
        a al como con cual cuales cuál cuáles cuando cuándo de del donde dónde el ella ellas ellos
        en entre era es esta este estos ha han la las le les lo los más no o para pero por que qué
        quien quién se ser si sin sobre son su sus un una uno y
    """,
    "it": """
        a ai al alla alle anche che chi come con cui da dai dal dalla dei del della delle di dove e
        è gli ha hanno i il in la le lo ma nel nella non o per più quale quali quando se si sono su
        sul sulla un una uno
    """,
    "pt": """
        a ao aos as às com como da das de do dos e é ela elas ele eles em entre era foi mais mas na
        nas não no nos o onde os ou para pela pelo por qual quais quando que quem se sem ser seu sua
        são um uma
    """,
    "nl": """
        aan al als bij dan dat de deze die dit door een en er had heeft het hij hoe in is kan maar
        met naar niet nog of om onder ook op over te tot uit van voor waar was wat welke werd wie
        wordt worden zij zijn
    """,
    "ru": """
        а без был была были было в во вы где для до его ее если же за и из или их к как когда
        который кто ли мы на не но о об он она они от по при с со так также то у что это
    """,
    "sv": "att av de den det där efter en ett för från har i inte med men när och om på som till "
    "vad var vem är",
    "da": "af at da de den der det en er et for fra har hvad hvem hvor i ikke med men og om på som "
    "til var ved",
    "no": "av at da de den der det en er et for fra har hva hvem hvor i ikke med men og om på som "
    "til var ved",
}
