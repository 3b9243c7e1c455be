"""From text to the terms of the word index: stems, stop words, characters and pairs of characters.

Words are compared in small letters and without accents, Chinese in simplified characters. Scripts
that write no spaces between words give each character and each pair of neighbours. Knows texts;
knows nothing of documents.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
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
                same = run[0].translate(_simplified())
                for i in range(len(same)):
                    yield Term(_plain(same[i]), start + i, start + i + 1)
                    if i:
                        yield Term(_plain(same[i - 1 : i + 1]), start + i - 1, start + i + 1)
            else:
                for term in self._learn(unicodedata.normalize("NFKC", run[0])):
                    yield Term(term, start, run.end())

    def terms_of(self, run: str) -> tuple[str, ...]:
        """Those of one of the `runs` of a text in NFKC."""
        return self._known.get(run) or self._learn(run)

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


@cache
def _simplified() -> Mapping[int, str]:
    """The simplified character of each traditional one."""
    import opencc

    characters = [chr(code) for first, last in _HAN for code in range(first, last + 1)]
    simple = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, simple, strict=True)
    return {ord(one): other for one, other in pairs if one != other and len(other) == 1}


_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))


def _close_terms(run: str) -> Iterator[str]:
    run = run.translate(_simplified())
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
        his how i if in into is it its many may me might much must my no not of on or our she should
        so some such than that the their them then there these they this those to was we were what
        when where which who whom whose why will with would you your
    """,
    "de": """
        ab aber alle allem allen aller alles als also am an andere anderen anderer anderes auch auf
        aus bei beim bereits bis bzw da dabei dadurch dafür dagegen daher damit dann daran darauf
        darin darüber das dass davon dazu dem den denen denn der deren des dessen dich die dies
        diese diesem diesen dieser dieses dir doch dort durch ein eine einem einen einer eines er es
        etwa etwas euch falls für ganz gegen gibt habe haben hat hatte hatten hier ich ihm ihn ihnen
        ihr ihre ihrem ihren ihrer im immer in ins ist ja jede jedem jeden jeder jedes jemand jene
        jetzt kann keine keinem keinen keiner konnte konnten können könnte man mehr mehrere mich mir
        mit muss müssen nach nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner
        seines seit selbst sich sie sind so solche sollen sollte sondern sowie um und uns unter viel
        viele vielen vom von vor wann war waren warum was weil weiter welche welchem welchen welcher
        welches wem wen wenn wer werden weshalb wessen wie wieso wir wird wo wobei wodurch wofür
        woher wohin womit woran worauf woraus worin worüber wovon wozu wurde wurden während zu zum
        zur zwischen über
    """,
    "fr": """
        a au auquel aux avec ce ces cet cette chez combien comme comment dans de des dont du duquel
        elle elles en est et il ils je la laquelle le lequel les lesquelles lesquels leur leurs lui
        mais n'est-ce ne nous on ont ou où par pas pour pourquoi qu quand que quel quelle quelles
        quels qui quoi sa sans se ses soit son sont sous sur tous tout toute toutes un une vous à
        été
    """,
    "es": """
        a adonde adónde al cada como con cual cuales cuando cuál cuáles cuándo cuánta cuántas cuánto
        cuántos cómo de del desde donde durante dónde el ella ellas ellos en entre era es esta este
        estos fue fueron ha han hasta la las le les lo los más no o para pero por porque que quien
        quienes quién quiénes qué se sea ser si sido sin sobre son su sus también todo todos un una
        uno y
    """,
    "it": """
        a ai al alla alle anche che chi come con cosa così cui da dai dal dalla dallo dei del della
        delle di dopo dove e essere fra gli ha hanno i il in la le lo ma nel nella non o ogni per
        perché più quale quali quando quanta quante quanti quanto questa questo quindi se si sia
        sono stata stato su sul sulla tra un una uno è
    """,
    "pt": """
        a ao aos as cada com como da das de do dos e ela elas ele eles em entre era foi foram já
        mais mas na nas no nos não o onde os ou para pela pelo por porque quais qual quando quanta
        quantas quanto quantos que quem se sem ser seu sobre sua são também um uma às é
    """,
    "nl": """
        aan al als bij dan dat de deze die dit door een en er had hebben heeft het hij hoe hoeveel
        hun iets in is kan maar met naar niet nog of om onder ons ook op over te tot u uit van voor
        waar waarbij waardoor waarin waarmee waarom waaronder waarop waaruit waarvan wanneer was wat
        welke werd wie wiens worden wordt zij zijn
    """,
    "ru": """
        а без будет был была были было быть в во вы где для до его ее если же за зачем и из или их к
        как какая какие каким какими каких какого какое какой какую кем когда кому которая которого
        которой которые который которых кто куда ли между может можно мы на насколько не но о об он
        она они от откуда очень по почему при с сколько со так также то только у чего чем чему через
        что эта эти это этого этой
    """,
    "sv": """
        att av de den det där efter en ett från för har hur i inte med men när och om på som till
        vad var varför varifrån vars vem vilka vilken vilket är
    """,
    "da": """
        af at da de den der det en er et for fra har hvad hvem hvilke hvilken hvilket hvis hvor
        hvordan hvorfor hvornår i ikke med men og om på som til var ved
    """,
    "no": """
        at av da de den der det en er et for fra har hva hvem hvilke hvilken hvilket hvis hvor
        hvordan hvorfor i ikke med men når og om på som til var ved
    """,
}
