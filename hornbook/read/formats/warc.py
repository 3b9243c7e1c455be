"""Web archives: the pages and plain texts of a WARC or WET file, packed or not, by fastwarc."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

from hornbook.core.guarded import step
from hornbook.read.documents import REPLACED, Document, Rejection
from hornbook.read.formats.decode import is_wide
from hornbook.read.formats.html import LARGEST_PAGE, page_text, plain_text
from hornbook.read.formats.lines import Fault, broken
from hornbook.read.formats.register import reads_archives
from hornbook.read.formats.warc_frames import Broken, Frame, Frames

_WITH_CONTENT = ("response", "resource", "conversion")
"""Others say how the crawl went, or that a page is as it was: no rejection, for they are no text.
"""

_XHTML = "application/xhtml+xml"
_PAGES = ("text/html", _XHTML)
_CHARSET = re.compile(r"charset\s*=\s*(?:[\"']\s*)?([\w.:+-]+)", re.IGNORECASE)
_Coding = Literal["all", "content", "none"]
_CODINGS: tuple[_Coding, ...] = ("all", "content", "none")
"""How to undo HTTP's codings, tried in this order: crawlers store bodies whose transfer coding is
undone already under headers that still name it."""


class _Content(NamedTuple):
    """What a record holds. kind: its media type in small letters."""

    kind: str
    charset: str | None
    status: int
    body: bytes


@reads_archives(".warc", ".wet")
def read_warc(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """A document for each HTML or plain text response; others are rejected as "not a page".

    metadata: url, date, title, and the HTTP status when it is not 200. A broken record or member
    costs itself; rejections have the record's number in the file.
    """
    for number, frame in enumerate(Frames(stream), 1):
        if isinstance(frame, Broken):
            yield Rejection(source, number, *frame.fault, frame.size)
        elif _has_content(frame.headers):
            found = step(frame.size) or _document(frame, source)
            if isinstance(found, Fault):
                yield Rejection(source, number, *found, frame.size)
            else:
                yield found


def _has_content(headers: dict[str, str]) -> bool:
    """Whether a record is of what was crawled; wget keeps its own log as resources as well."""
    is_log = headers.get("warc-target-uri", "").strip("<>").startswith("metadata:")
    return headers.get("warc-type", "").lower() in _WITH_CONTENT and not is_log


def _document(frame: Frame, source: str) -> Document | Fault:
    try:
        content = _content(frame)
        if isinstance(content, Fault):
            return content
        if content.kind in _PAGES:
            xml = content.kind == _XHTML
            title, text, replaced = page_text(content.body, content.charset, xml=xml)
        else:
            title, (text, replaced) = "", plain_text(content.body, content.charset)
    except Exception as error:  # a page may break its parser in more than one way
        return broken("broken page", error)
    headers = frame.headers
    date = headers.get("warc-date", "")
    metadata: dict[str, Any] = {"url": headers.get("warc-target-uri", "").strip("<>"), "date": date}
    if title:
        metadata["title"] = title
    if replaced:
        metadata[REPLACED] = replaced
    if content.status != 200:
        metadata["status"] = content.status
    return Document("", text, source, created=date, metadata=metadata)


def _content(frame: Frame) -> _Content | Fault:
    """The text's bytes with all codings undone, or why the record is no text."""
    from fastwarc.warc import WarcRecord

    is_http = frame.headers.get("content-type", "application/http").startswith("application/http")
    data = frame.head + frame.body
    record = WarcRecord.from_bytes(data)
    kind, status = frame.headers.get("content-type", ""), 200
    if is_http:
        record.parse_http()
        if record.http_headers is None:
            return Fault("broken record", "no HTTP header")
        kind = record.http_headers.get("Content-Type", "") or ""
        status = record.http_headers.status_code or 0
    kind, _, settings = kind.partition(";")
    kind, label = kind.strip().lower(), _CHARSET.search(settings)
    charset = label[1] if label else None
    if kind not in (*_PAGES, "text/plain"):
        return Fault("not a page", kind or "no content type")
    body = _body(data, is_http)
    if not frame.whole or len(body) > LARGEST_PAGE:
        detail = f"over {LARGEST_PAGE // 2**20} MiB, the most that is held for a page"
        return Fault("page too large", detail)
    if b"\0" in body and not is_wide(body, charset):
        return Fault("binary", "holds NUL bytes")
    return _Content(kind, charset, status, body)


def _body(data: bytes, is_http: bool) -> bytes:
    """Up to one byte more than the largest page. Raises OSError when it breaks in the middle."""
    from fastwarc.warc import WarcRecord

    for coding in _CODINGS if is_http else _CODINGS[-1:]:
        body = b""
        try:
            record = WarcRecord.from_bytes(data)
            if is_http:
                record.parse_http(auto_decode=coding)
            while len(body) <= LARGEST_PAGE and (part := record.reader.read(2**20)):
                body += part
            break
        except OSError:
            if body or coding == "none":
                raise
    return body[: LARGEST_PAGE + 1]
