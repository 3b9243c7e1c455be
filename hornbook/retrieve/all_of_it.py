"""Questions about all documents at once, in English, German and Chinese: how many, list all, the
longest.

A few passages cannot answer these, however good they are; each document has to be looked at. A noun
such as "contracts" means documents; "letters" or "books" may stand in one, and means documents only
where the question says what they hold ("letters that mention Bath").
"""

import re
from typing import Literal, NamedTuple

Kind = Literal["count", "list", "longest", "shortest"]

_DOCUMENTS = (
    r"(?:documents?|files?|texts?|papers?|articles?|contracts?|agreements?|leases?|reports?|"
    r"judge?ments?|invoices?|e-?mails?|records?|stud(?:y|ies)|polic(?:y|ies)|statutes?|"
    r"reviews?|entr(?:y|ies)|proposals?|abstracts?|transcripts?)\b"
)
_PERHAPS = r"(?:letters?|books?|laws?|cases?|notes?|messages?|poems?|decisions?|sections?|pages?)\b"
_HOLD = (
    r"(?=\s+(?:that|which|mention\w*|about|contain\w*|discuss\w*|concern\w*|refer\w*|deal\w*|"
    r"speak\w*|talk\w*|describe\w*|are about|in (?:the|this) (?:index|collection|folder)))"
)
_THINGS = rf"(?:{_DOCUMENTS}|{_PERHAPS}{_HOLD})"
_WORDS_ZH = (
    "(?:文件|文档|文本|合同|协议|报告|文章|论文|信件|邮件|案件|判决书?|发票|记录|笔记|条款|书籍|"
    "法规|政策|资料|摘要)"
)
_UNIT = "[份篇个件封本首条部则]"
_WORDS_DE = (
    r"(?:dokumente?n?|datei(?:en)?|texte?n?|(?:\w+)?vertr[aä]ge?n?|vereinbarung(?:en)?|berichte?n?|"
    r"urteile?n?|entscheidung(?:en)?|rechnung(?:en)?|e-?mails?|studien?|artikeln?|aufsätze?n?|"
    r"gesetze?n?|protokolle?n?|gutachten|unterlagen|einträge?n?|akten?)\b"
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "longest",
        _any(
            rf"\b(?:longest|largest|biggest)\s+{_DOCUMENTS}",
            rf"最长的?.{{0,4}}{_WORDS_ZH}",
            rf"{_WORDS_ZH}.{{0,6}}最长",
            rf"\b(?:längste|größte|umfangreichste)[nrs]?\s+{_WORDS_DE}",
        ),
    ),
    (
        "shortest",
        _any(
            rf"\b(?:shortest|smallest)\s+{_DOCUMENTS}",
            rf"最短的?.{{0,4}}{_WORDS_ZH}",
            rf"{_WORDS_ZH}.{{0,6}}最短",
            rf"\b(?:kürzeste|kleinste)[nrs]?\s+{_WORDS_DE}",
        ),
    ),
    (
        "count",
        _any(
            r"\b(?:how many|what number of|(?:the )?number of|count(?: all| the)?)\s+"
            rf"(?:of the |of these |different )?(?:[\w-]+ )?{_THINGS}",
            rf"(?:多少|几|共有){_UNIT}?.{{0,4}}?{_WORDS_ZH}",
            rf"{_WORDS_ZH}(?:共|总共|一共)?有(?:多少|几)",
            r"\b(?:wie ?viele|(?:an)?zahl (?:der|von)|zähle?(?: alle| die)?)\s+"
            rf"(?:der |dieser |von den )?(?:\w+ )?{_WORDS_DE}",
        ),
    ),
    (
        "list",
        _any(
            r"\b(?:list|name|find|show|give)(?: me)? (?:all|every|each)\b",
            rf"\b(?:which|what)(?: of (?:the|these))? {_THINGS}(?=.{{3,}})",
            rf"\b(?:all|every|each)(?: of)?(?: the| these)? {_DOCUMENTS}",
            r"\b(?:liste|nenne?|finde|zeige?|gib)(?: mir| uns)? (?:alle|sämtliche|jede[ns]?)\b",
            rf"\bwelche[nrs]?(?: der| dieser)? {_WORDS_DE}(?=.{{3,}})",
            rf"\b(?:alle|sämtliche|jede[nrs]?)(?: der| dieser)? {_WORDS_DE}",
            rf"列出|列举|找出(?:所有|全部)|哪些{_WORDS_ZH}|(?:所有|全部|每一?{_UNIT})的?{_WORDS_ZH}",
        ),
    ),
)
_ASKING = _any(
    r"^\s*(?:please\s+)?(?:how many|what number of|the number of|count|list|name|find|show|give)\b"
    r"(?: me)?(?: all| every| each)?(?: of)?(?: the| these)?\s*",
    r"^\s*(?:which|what)(?: of)?(?: the| these)?\s*",
    r"^\s*(?:bitte\s+)?(?:wie ?viele|(?:die )?(?:an)?zahl (?:der|von)|zähle?|liste|nenne?|finde|"
    r"zeige?|gib)(?: mir| uns)?(?: alle[nr]?| sämtliche[nr]?| jede[ns]?)?(?: der| dieser)?\s+",
    r"^\s*(?:welche[nrs]?|alle|sämtliche|jede[nrs]?)(?: der| dieser)?\s+",
    rf"^(?:请)?(?:列出|列举|找出)?(?:所有|全部)?(?:有多少|多少|哪些|几)?{_UNIT}?的?",
)
_NOUN = re.compile(rf"^\s*(?:{_DOCUMENTS}|{_PERHAPS}|{_WORDS_DE})|^{_WORDS_ZH}", re.IGNORECASE)
_LINKING = re.compile(
    r"^\s*(?:(?:are|is) there|there are|exist|that|which|who|in the (?:index|collection)|gibt es|"
    r"(?:auf)?,? (?:die|das|der|in denen)|auf)\b",
    re.IGNORECASE,
)
_LINKING_ZH = re.compile("^(?:中|里面?|是)有?")


_SAYING = re.compile(
    r"^\s*(?:(?:are|is|that|which|they|it) )*(?:about|mention\w*|contain\w*|discuss\w*|concern\w*|"
    r"refer\w*(?: to)?|deal\w*(?: with)?|speak\w*(?: of)?|talk\w*(?: about)?|describe\w*)\b"
    r"|^\s*(?:(?:sind|ist|handel\w*|sprechen|spricht) (?:von|über)|erwähn\w*|enth[aä]lt\w*|nenn\w*|"
    r"behandel\w*|beschreib\w*|betreff\w*|betrifft|über)\b"
    r"|(?<!\w)(?:erwähn|enthalt|enthält|nenn|behandel|beschreib|betreff|handel)\w*$"
    r"|^(?:提到|涉及|包含|关于|谈到|讨论|说到|提及)了?",
    re.IGNORECASE,
)


class AllOfIt(NamedTuple):
    """kind: what is wanted of all documents. criterion: what they must meet, "" for none."""

    kind: Kind
    criterion: str


def all_of_it(question: str) -> AllOfIt | None:
    """What a question wants of all documents; None where some passages may answer it."""
    for kind, pattern in _PATTERNS:
        if pattern.search(question):
            return AllOfIt(kind, "" if kind in ("longest", "shortest") else _criterion(question))
    return None


def bare(criterion: str) -> str:
    """A criterion without the verb that says that a document says it, for those who compare
    words."""
    return _SAYING.sub("", criterion).strip() or criterion


def _criterion(question: str) -> str:
    """What is left of a question without the words that ask for documents."""
    rest = question.strip()
    for pattern in (_ASKING, _NOUN, _LINKING, _LINKING_ZH):
        rest = pattern.sub("", rest, count=1)
    return rest.strip(" \t?？.。!！,，的")
