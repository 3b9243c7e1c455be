"""The parts of a message: which of them are its text, and what their bytes say."""

import binascii
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import NamedTuple

from hornbook.read.formats.decode import decode_labelled
from hornbook.read.formats.html import page_text, plain_text
from hornbook.read.formats.smime import signed_content

_DEEPEST = 20
"""Messages in messages and parts in parts: mail of people has less."""

_NO_TEXT = frozenset(
    {"calendar", "css", "javascript", "richtext", "rtf", "vcard", "x-vcard", "x-amp-html"}
)
"""Of text/*: written by programs for programs."""
_TEXT_NAME = re.compile(r".+\.(txt|text|csv|tsv|md|markdown|log|rst|x?html?)", re.IGNORECASE)
_PAGE_NAME = re.compile(r".+\.x?html?", re.IGNORECASE)
_SEALED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_STUB, _RICHER = 300, 5
"""A plain part of so few characters beside so many times as many in HTML says that there is HTML.
"""


ENCRYPTED = "encrypted"


class Content(NamedTuple):
    """What a message holds. texts: of its parts, in their order. left_out: names of what is no
    text. replaced: characters that could not be decoded."""

    texts: list[str]
    left_out: list[str]
    replaced: int = 0

    @property
    def text(self) -> str:
        """The parts that hold something, apart by an empty line."""
        texts = [text for text in self.texts if text.strip()]
        return texts[0] if len(texts) == 1 else "\n\n".join(text.strip() for text in texts)


def content_of(message: Message, depth: int = 0) -> Content:
    """The text of a message or part, forwarded messages and attached texts included."""
    kind = message.get_content_type()
    if depth > _DEEPEST:
        return Content([], [f"{kind} (nested too deep)"])
    if kind in _SEALED:
        return _sealed(message, kind, depth)
    if kind == "message/rfc822":
        return _forwarded(_inner(message), depth + 1)
    if not message.is_multipart():  # also one that says so and lacks its borders
        return _leaf(message, kind, depth)
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    if kind.startswith("message/"):  # reports of delivery, in headers
        return Content([], [kind])
    kinds = [part.get_content_type() for part in parts]
    found = [content_of(part, depth + 1) for part in parts]
    if kind == "multipart/alternative" and found:
        return _best(kinds, found)
    if not message.get_boundary():  # no border at all, which any line of dashes would be
        around = [_raw(text or "") for text in (message.preamble, message.epilogue)]
        found = [Content(around[:1], []), *found, Content(around[1:], [])]
    return _joined(found)


def _joined(found: list[Content]) -> Content:
    return Content(
        [text for content in found for text in content.texts],
        [name for content in found for name in content.left_out],
        sum(content.replaced for content in found),
    )


def _forwarded(message: Message, depth: int) -> Content:
    """A message in a message, under its subject: there is no other place for it."""
    content = content_of(message, depth)
    subject = header(message, "subject")
    return content._replace(texts=[subject, *content.texts]) if subject else content


def _inner(message: Message) -> Message:
    """The message that a part is: some programs code it, which the standard does not know."""
    found = message.get_payload()
    inner = found[0] if isinstance(found, list) and found else message
    if isinstance(inner, Message) and _coding(message) in (_BASE, *_QUOTED):
        inner[_TRANSFER] = message[_TRANSFER]
        return message_from_bytes(_bytes_of(inner)[0])
    return inner if isinstance(inner, Message) else message


def _sealed(message: Message, kind: str, depth: int) -> Content:
    """What is only signed is read; what is encrypted is named."""
    if not message.is_multipart() and (inner := signed_content(_bytes_of(message)[0])):
        return content_of(message_from_bytes(inner), depth + 1)
    return Content([], [f"{ENCRYPTED} ({kind})"])


def _best(kinds: list[str], found: list[Content]) -> Content:
    """Of the same text in several forms the plain one, unless it is blank or a mere hint."""
    sizes = [len(content.text.strip()) for content in found]
    richest = max(range(len(found)), key=lambda i: sizes[i])
    plain = next((i for i, kind in enumerate(kinds) if kind == "text/plain" and sizes[i]), richest)
    is_stub = sizes[plain] < _STUB and sizes[plain] * _RICHER < sizes[richest]
    chosen = found[richest if is_stub else plain]
    others = [name for content in found for name in content.left_out]
    return chosen._replace(left_out=others)


def _leaf(message: Message, kind: str, depth: int) -> Content:
    name = _file_name(message)
    main, _, sub = kind.partition("/")
    is_text = main in ("text", "multipart") and sub not in _NO_TEXT
    if main == "application" and name.lower().endswith(".eml"):
        return _forwarded(message_from_bytes(_bytes_of(message)[0]), depth + 1)
    if not is_text and not (main == "application" and _TEXT_NAME.fullmatch(name)):
        return Content([], [name or kind])
    settings = {key: _setting(message, key) for key in ("charset", "format", "delsp")}
    data, rest = _bytes_of(message)
    if b"\0" in data and main != "text":
        return Content([], [name or kind])
    charset = settings["charset"]
    if sub == "html" or _PAGE_NAME.fullmatch(name):
        _, text, replaced = page_text(data, charset, main=False)
    else:
        text, replaced = plain_text(data, charset)
        if settings["format"] == "flowed":
            text = _unflowed(text, settings["delsp"] == "yes")
    text, files = _without_uuencoded(text)
    return Content([text, rest] if rest else [text], files, replaced)


def _file_name(message: Message) -> str:
    try:
        return " ".join((message.get_filename() or "").split())
    except (ValueError, LookupError, TypeError):  # odd RFC 2231
        return ""


def _setting(message: Message, name: str) -> str:
    """A parameter of the content type; RFC 2231's form has its charset and language before it."""
    try:
        value = message.get_param(name, "")
    except (ValueError, LookupError, TypeError):
        return ""
    return str(value[2] if isinstance(value, tuple) else value).strip().lower()


_COMMENT, _CODING = re.compile(r"\([^()]*\)"), re.compile(r"[\w-]+")
_BASE, _QUOTED = "base64", ("quoted-printable", "quotedprintable")
_TRANSFER = "content-transfer-encoding"
_UU_CODINGS = ("x-uuencode", "uuencode", "uue", "x-uue")


def _coding(message: Message) -> str:
    """The name of the transfer encoding, found in whatever stands in its header: blanks, comments,
    a semicolon."""
    found = _CODING.search(_COMMENT.sub(" ", str(message.get(_TRANSFER, ""))))
    return found[0].lower() if found else ""


def _bytes_of(message: Message) -> tuple[bytes, str]:
    """The part's bytes with its transfer encoding undone, and text that stood behind them."""
    coding = _coding(message)
    del message["content-type"]  # the standard library decodes by it, or stumbles over it
    if coding not in _UU_CODINGS:
        del message[_TRANSFER]  # and undoes this in its own way, or does not
    payload = message.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if coding == _BASE:
        return _from_base64(raw)
    if coding in _QUOTED:
        return binascii.a2b_qp(raw), ""
    return raw, ""


_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def _from_base64(raw: bytes) -> tuple[bytes, str]:
    """Line by line: mailing lists put plain text behind it, and some parts are no base64 at all."""
    pieces, rest, joined = list[bytes](), list[bytes](), list[bytes]()
    for line in raw.splitlines():  # bytes end at line ends only
        line = line.strip()
        if not rest and (not line or _BASE64.fullmatch(line)):
            joined.append(line)
            if line.endswith(b"="):
                pieces.append(b"".join(joined))
                joined = []
        elif line or rest:
            rest.append(line)
    pieces.append(b"".join(joined))
    data = b"".join(map(_decoded64, pieces))
    return data, plain_text(b"\n".join(rest))[0].strip()


def _decoded64(piece: bytes) -> bytes:
    bare = piece.rstrip(b"=")
    bare = bare[: len(bare) - (len(bare) % 4 == 1)]  # one sign alone is no byte
    return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))


def _unflowed(text: str, deletes: bool) -> str:
    """Paragraphs of format=flowed (RFC 3676) as lines; `deletes`: the blank at a break is not part
    of the text."""
    out: list[str] = []
    is_open, depth = False, 0
    for line in text.split("\n"):
        body = line.lstrip(">")
        quoted = len(line) - len(body)
        body = body.removeprefix(" ")
        if not (is_open and quoted == depth and body != "-- "):
            out += ["\n"] if out else []
            out.append(">" * quoted + (" " if quoted and body else ""))
        is_open, depth = body.endswith(" ") and body != "-- ", quoted
        out.append(body[:-1] if is_open and deletes else body)
    return "".join(out)


_BEGIN = re.compile(r"begin(?:-base64)? [0-7]{3,4} (\S.*)")


def _without_uuencoded(text: str) -> tuple[str, list[str]]:
    """The text without files that stand in it as letters, and their names."""
    if "begin" not in text:
        return text, []
    kept, files, held = list[str](), list[str](), list[str]()
    for line in text.split("\n"):
        if held:
            held.append(line)
            if line.strip() in ("end", "===="):
                files.append(held[0].split(" ", 2)[2].strip())
                held = []
        elif _BEGIN.fullmatch(line.rstrip()):
            held = [line]
        else:
            kept.append(line)
    return "\n".join(kept + held), files


_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(?<=\?=)\s+(?==\?)")


def header(message: Message, name: str) -> str:
    """A header as people read it: encoded words undone (RFC 2047), 8 bits decoded, on one line."""
    value = next((value for key, value in message.raw_items() if key.lower() == name), "")
    text = "".join(_header_texts(_BETWEEN.sub("", str(value))))
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _header_texts(value: str) -> Iterator[str]:
    """Words in one charset are joined before they are decoded: senders cut inside characters."""
    place, charset, data = 0, "", b""
    for word in _WORD.finditer(value):
        label = word[1].partition("*")[0].lower()  # RFC 2231 puts a language behind
        if data and (word.start() > place or label != charset):
            yield decode_labelled(data, (charset,)).text
            data = b""
        yield _raw(value[place : word.start()])
        charset, data = label, data + _word_bytes(word[2], word[3])
        place = word.end()
    if data:
        yield decode_labelled(data, (charset,)).text
    yield _raw(value[place:])


def _word_bytes(coding: str, text: str) -> bytes:
    raw = text.encode("ascii", "surrogateescape")
    if coding in "bB":
        return _decoded64(bytes(byte for byte in raw if _BASE64.fullmatch(bytes((byte,)))))
    return binascii.a2b_qp(raw, header=True)


def _raw(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return text if data.isascii() else decode_labelled(data).text
