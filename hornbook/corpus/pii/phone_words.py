"""Words that stand before a telephone number, and what stands for an extension behind it.

Behind such a word a run of digits is a number in any country's spelling. Knows the words of two
dozen languages; knows no plans of numbers.
"""

import re

from hornbook.corpus.pii.contract import WORD, before

_NOUNS = (
    r"tel|t[eé]l[eéè]?(?:f|ph)on(?:e|o|u|i|um?|nummer|szám)?|tele(?:foon|foonnummer|phones)|telefonn[ar]"
    r"|tfn|tfno|tlf|tlfn|tln|fone|phones?|mobile?s?|mobiel|mob|m[oó]vil|cell|cellular[e]?|celular|cel"
    r"|cellphone|cellulare|portable|gsm|fax|faks|ph|puh|puhelin|matkapuhelin|handy|rufnummer"
    r"|durchwahl|hotline|helpline|landline|whatsapp|viber|sms|contact no|contact number|helpdesk"
    r"|тел|телефон[а-я]{0,2}|моб|мобильный|факс|τηλ|τηλέφωνο|κινητό"
)
_UNSPACED = (
    r"电话|電話|手机|手機|座机|热线|熱線|传真|傳真|致电|致電|拨打|撥打|联系方式|聯絡|微信|携帯|ファックス"
    r"|전화|휴대폰|핸드폰|연락처|팩스|هاتف|تلفن|تليفون|جوال|موبايل|موبایل|फ़ोन|फोन|मोबाइल|ফোন|โทร|โทรศัพท์"
    r"|điện thoại|đt|sđt|טלפון|נייד"
)
_VERBS = (
    r"(?P<sure>call|ring|dial|phone)|text|reach|contact|message|sms|whatsapp"
    r"|anrufen|ruf|llame|appelez"
)
_LINK = (
    r"(?:number|numbers|no|nr|num|nº|n°|numéro|número|numero|nummer|numer|home|work|office|direct|main"
    r"|line|is|are|was|ist|lautet|est|es|at|on|under|unter|au|al|to|号码|號碼|号|番号|번호|номер|为|是|為"
    r"|[hmwo])"
)
_GAP = r"[\s:：.;=#>|*\\\[(\"'\-]{0,6}"
_WIDEST, _SIGNS = 12, "°ं्ा์"
_BETWEEN = " \t\n\r\u00a0:：.;=#>|*\\[(\"'-"
_OBJECT = (
    r"(?: (?:me|us|him|her|them|mich|uns))?(?: (?:back|now|today|anytime|directly|toll[ -]free))?"
)
_AFTER_NOUN = re.compile(
    rf"(?:(?<![^\W\d_])(?:{_NOUNS})|{_UNSPACED})(?:{_GAP}{_LINK}(?![^\W\d_])){{0,3}}{_GAP}\Z",
    re.IGNORECASE,
)
_AFTER_VERB = re.compile(
    rf"(?<![^\W\d_])(?:{_VERBS}){_OBJECT}(?: (?P<on>on|at|under|unter|au|al))?:? ?\Z", re.IGNORECASE
)
_SURE = re.compile(r"[:：#.]\s*\Z|(?:n[or]|num\w*|numm?er\w*|号码?|番号|번호)\W*\Z", re.IGNORECASE)
_FEWEST, _FEWEST_BARE = 7, 9

_EXTENSION = re.compile(
    r"(?: ?[,;]? ?(?:ext(?:ension|n)?\.?|extn?\.|доб\.?|interno|int\.|poste|anexo|ramal|durchwahl)"
    r"[ :.]{0,2}| ?x\.?| ?(?:转|轉|分机|分機|内線|내선) ?| ?# ?)[0-9]{1,6}"
    rf"(?![{WORD}]|[.,][0-9])",
    re.IGNORECASE,
)


def fewest_digits(text: str, start: int) -> int | None:
    """How few digits are a number here, by the words before; None: they say nothing of one."""
    at = start
    while at and start - at < _WIDEST and text[at - 1] in _BETWEEN:
        at -= 1
    # At once, without a pattern: tables of numbers are full of such places.
    if not at or text[at - 1].isdecimal() or not (text[at - 1].isalnum() or text[at - 1] in _SIGNS):
        return None
    context = before(text, start, 48)
    if _AFTER_NOUN.search(context):
        return _FEWEST
    if match := _AFTER_VERB.search(context):
        return _FEWEST if match["on"] or match["sure"] else _FEWEST_BARE
    return None


def is_sure(text: str, start: int) -> bool:
    """Whether a colon or a word for "number" stands before, so that it is no amount of anything."""
    return _SURE.search(before(text, start, 16)) is not None


def after_extension(text: str, stop: int) -> int:
    """Where a number with its extension ends; `stop` where it has none."""
    match = _EXTENSION.match(text, stop)
    return match.end() if match else stop


def without_extension(value: str) -> str:
    """The number alone."""
    match = re.search(_EXTENSION.pattern + r"\Z", value, re.IGNORECASE)
    return value[: match.start()] if match else value
