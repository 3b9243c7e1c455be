"""One small file of every format, packed or not, and what is read of such files."""

import gzip
import io
import json
import zipfile

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats import ARCHIVE_READERS, READERS, RECORD_READERS, packed
from hornbook.read.sources import read_here
from tests.read import test_office as office
from tests.read.test_word import p as paragraph
from tests.read.test_word import word
from tests.tables import parquet

TEXT = "Ein Text über Bücher.\n\nЕщё один абзац, 还有一段。\n"
ALL = sorted({**READERS, **RECORD_READERS, **ARCHIVE_READERS})


def pack(data, suffix):
    if suffix == ".zst":
        zstd = packed._zstd()  # a checksum as the program zstd writes it
        return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})
    return gzip.compress(data) if suffix == ".gz" else data


def record(body, kind="text/html", type_="response", url="http://a.example/", length=None):
    """A WARC record, an HTTP response by default."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode()
    block = (head if type_ == "response" else b"") + body
    http = "application/http; msgtype=response" if type_ == "response" else kind
    lines = [
        "WARC/1.0",
        f"WARC-Type: {type_}",
        f"WARC-Target-URI: {url}",
        "WARC-Date: 2024-05-06T07:08:09Z",
        f"Content-Type: {http}",
        f"Content-Length: {len(block) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def page(text):
    return f"<html><title>T {text}</title><body><p>Page {text} is here.</p></body></html>".encode()


def epub(chapters, extra=(), title="Ein Buch"):
    """A book; chapters: the bytes of each. extra: names in the spine that are not there."""
    names = [f"c {i}.xhtml" for i in range(len(chapters))]
    items = "".join(
        f'<item id="i{i}" href="{n.replace(" ", "%20")}"/>' for i, n in enumerate([*names, *extra])
    )
    spine = "".join(f'<itemref idref="i{i}"/>' for i in range(len(names) + len(extra)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title><dc:creator>A. Eins</dc:creator>"
        "<dc:creator>B. Zwei</dc:creator><dc:language>de</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="OEBPS/book.opf"/></c>')
        archive.writestr("OEBPS/book.opf", package)
        for name, data in zip(names, chapters, strict=True):
            archive.writestr(f"OEBPS/{name}", data)
    return out.getvalue()


def pdf(pages):
    """A PDF of ASCII pages; None for a page whose object is no page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects.append(f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode())
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for i, text in enumerate(pages):
        objects.append(
            b"(nothing)"
            if text is None
            else b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents %d 0 R"
            b"/Resources<</Font<</F 3 0 R>>>>>>" % (5 + 2 * i)
        )
        stream = f"BT /F 12 Tf 20 200 Td ({text}) Tj ET".encode()
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + tail


MAIL = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\nSubject: =?utf-8?b?w5xiZXI=?=\n"
    b"Date: Mon, 06 May 2024 07:08:09 +0200\nContent-Type: text/plain; charset=iso-8859-1\n\n"
    b"Gr\xfc\xdfe\n>From here on.\n"
)
SEPARATOR = b"From j@a.example Mon May  6 07:08:09 2024\n"
ROWS = [{"text": TEXT, "n": 1}, {"text": "zwei", "n": 2}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
WORD = word(paragraph(TEXT.replace("\n", "")))
SLIDES = office.pptx([office.shape(TEXT)])
GOOD = {
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".json": json.dumps(ROWS).encode(),
    ".csv": b'text,n\n"eins, zwei",1\n',
    ".tsv": b"text\tn\neins\t1\n",
    ".parquet": parquet(ROWS),
    ".docx": WORD,
    ".docm": WORD,
    ".dotx": WORD,
    ".dotm": WORD,
    **dict.fromkeys(
        (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx"), office.pptx([office.shape(TEXT)])
    ),
    **dict.fromkeys((".odt", ".ott"), office.odt(office.paragraph(TEXT))),
    **dict.fromkeys((".odp", ".otp"), office.odp(office.box(TEXT))),
    **dict.fromkeys((".xlsx", ".xlsm"), office.xlsx(One=[[TEXT]])),
    ".ods": office.ods(One=[[TEXT]]),
    ".epub": epub([page("one"), page("two")]),
    ".pdf": pdf(["one", "two"]),
    ".eml": MAIL,
    ".emlx": b"%d \n%s<?xml version='1.0'?>" % (len(MAIL), MAIL),
    ".mbox": SEPARATOR + MAIL + b"\n" + SEPARATOR + MAIL,
    ".warc": record(page("one")) + record(page("two")),
    ".wet": record(TEXT.encode(), "text/plain", "conversion"),
    ".html": page("one"),
    ".htm": page("one"),
    ".xhtml": page("one"),
}


def read(tmp_path, name, data):
    """(documents, rejections) of a file with this name and content."""
    path = tmp_path / name
    path.write_bytes(data)
    items = list(read_here(path))
    found = [item for item in items if isinstance(item, Document)]
    return found, [item for item in items if isinstance(item, Rejection)]
