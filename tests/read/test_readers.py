"""Readers: whatever the bytes, documents or rejections come out, and a break costs one record."""

import gzip
import io
import json
import random
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats import ARCHIVE_READERS, READERS, RECORD_READERS, packed, warc_frames
from hornbook.read.formats import mail as mail_reader
from hornbook.read.sources import format_of, read_here
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


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("suffix", ALL)
def test_whatever_the_bytes_are(tmp_path, suffix, packing):
    good = GOOD.get(suffix, TEXT.encode())
    found, rejected = read(tmp_path, f"good{suffix}{packing}", pack(good, packing))
    assert found and not rejected
    assert format_of(tmp_path / f"good{suffix}{packing}") == suffix
    found, rejected = read(tmp_path, f"empty{suffix}{packing}", b"")
    assert len(found) + len(rejected) >= 1
    assert not any(document.text for document in found)
    noise = random.Random(1)
    for size in (1, 100, 10_000, 100_000):
        data = noise.randbytes(size)
        found, rejected = read(tmp_path, f"noise{suffix}{packing}", data)
        assert rejected or suffix in READERS or size == 1
        assert all(item.reason and len(item.reason) < 40 for item in rejected)
        read(tmp_path, f"noise{suffix}{packing}", pack(data, packing))
        read(tmp_path, f"noise{suffix}{packing}", pack(good, packing) + data)
    whole = pack(good, packing)
    for cut in sorted(noise.sample(range(1, len(whole)), min(12, len(whole) - 1))):
        found, rejected = read(tmp_path, f"cut{suffix}{packing}", whole[:cut])
        assert found or rejected
        assert rejected or not packing, "a packed file that is cut off is never taken for whole"
        broken = whole[:cut] + bytes([whole[cut] ^ 0x55]) + whole[cut + 1 :]
        assert any(read(tmp_path, f"bit{suffix}{packing}", broken))


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_packed_stream_keeps_what_came_before_the_break(tmp_path, packing):
    lines = "".join(json.dumps({"text": f"{i} {random.random()}"}) + "\n" for i in range(20_000))
    data = pack(lines.encode(), packing)
    found, rejected = read(tmp_path, f"a.jsonl{packing}", data[: len(data) * 3 // 4])
    assert 5_000 < len(found) < 20_000
    assert [item.reason for item in rejected] == [f"broken {packed.PACKINGS[packing]}"]
    assert found[-1].text.startswith(f"{len(found) - 1} ")
    assert rejected[0].line == len(found) + 1


def test_frames_follow_one_another_and_seek_back():
    zstd = packed._zstd()
    parts = [bytes([65 + i]) * 70_000 for i in range(5)]
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    for packing, data in (
        ("zst", b"".join(zstd.compress(part) + skippable for part in parts)),
        ("gzip", b"".join(gzip.compress(part) + b"\0" * 9 for part in parts)),
    ):
        stream = io.BufferedReader(packed.Members(io.BytesIO(data), packing))
        assert stream.read() == b"".join(parts)
        for place in (210_001, 69_999, 0, 349_999, 350_000):
            stream.seek(place)
            assert stream.read(2) == b"".join(parts)[place : place + 2]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_pages_and_plain_texts_of_an_archive(tmp_path, packing):
    records = [
        record(b"software: x", "application/warc-fields", "warcinfo"),
        record(page("one"), url="http://a.example/1"),
        record(b"GET /", "application/http", "request"),
        record(b"\x89PNG\0", "image/png"),
        record("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        record("Ещё".encode("cp1251"), "text/html; charset=windows-1251"),
        record("Ещё".encode(), "text/html; charset=ISO-8859-1"),
        record(b"", "application/http", "revisit"),
        record(b"wget", "text/plain", "resource", url="metadata://wget/log"),
    ]
    found, rejected = read(
        tmp_path, f"a.warc{packing}", b"".join(pack(r, packing) for r in records)
    )
    assert [d.text for d in found] == ["Page one is here.", "Grüße", "Ещё", "Ещё"]
    assert found[0].created == "2024-05-06T07:08:09Z"
    assert found[0].metadata == {
        "url": "http://a.example/1", "date": "2024-05-06T07:08:09Z", "title": "T one"
    }  # fmt: skip
    assert [(r.line, r.reason, r.detail) for r in rejected] == [(4, "not a page", "image/png")]
    assert rejected[0].size == len(records[3]) - 4


def test_codings_are_undone_even_where_the_crawler_did_it_already(tmp_path):
    text = page("one")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
    records = [
        record(chunked, "text/html\r\nTransfer-Encoding: chunked"),
        record(text, "text/html\r\nTransfer-Encoding: chunked"),
        record(gzip.compress(text), "text/html\r\nContent-Encoding: gzip"),
        record(text, "text/html\r\nContent-Encoding: gzip"),
        record(zlib.compress(text), "text/html\r\nContent-Encoding: deflate"),
    ]
    found, rejected = read(tmp_path, "a.warc", b"".join(records))
    assert [d.text for d in found] == ["Page one is here."] * 5 and not rejected


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("harm", ["cut", "flipped", "gone", "short"])
def test_a_broken_member_costs_its_record(tmp_path, packing, harm):
    words = random.Random(2)
    pages = [page(" ".join(f"{i}{words.random()}" for _ in range(200))) for i in range(5)]
    members = [pack(record(p), packing) for p in pages]
    middle = members[2]
    members[2] = {
        "cut": middle[: len(middle) // 2],
        "flipped": middle[:500] + bytes(b ^ 0xFF for b in middle[500:600]) + middle[600:],
        "gone": words.randbytes(3000),
        "short": pack(record(pages[2])[:900], packing),
    }[harm]
    found, rejected = read(tmp_path, f"a.warc{packing}", b"".join(members))
    assert [d.text[5] for d in found] == ["0", "1", "3", "4"]
    assert [r.line for r in rejected] == [3]
    reason = "broken record" if harm == "short" else f"broken {packed.PACKINGS[packing]}"
    assert rejected[0].reason == reason and rejected[0].size > 0
    found, rejected = read(tmp_path, f"a.warc{packing}", b"\xff" + b"".join(members)[1:])
    assert [d.text[5] for d in found] == ["1", "3", "4"] and [r.line for r in rejected] == [1, 3]


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("length", [10, 250, 10**17, "x"])
def test_a_wrong_length_costs_its_record(tmp_path, packing, length):
    records = [record(page(str(i)), length=length if i == 1 else None) for i in range(4)]
    found, rejected = read(tmp_path, f"a.warc{packing}", pack(b"".join(records), packing))
    assert [d.metadata["title"] for d in found] == ["T 0", "T 2", "T 3"]
    assert [(r.line, r.reason) for r in rejected] == [(2, "broken record")]


def test_long_records_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(warc_frames, "LARGEST_BODY", 1000)
    records = [record(b"x" * 9000, kind) for kind in ("video/mp4", "text/html")]
    found, rejected = read(tmp_path, "a.warc", b"".join([*records, record(page("one"))]))
    assert [r.reason for r in rejected] == ["not a page", "page too large"]
    assert len(found) == 1


def test_a_zst_archive_with_a_dictionary(tmp_path):
    zstd = packed._zstd()
    records = [record(page(str(i))) for i in range(200)]
    dictionary = zstd.train_dict(records, 2000)
    data = dictionary.dict_content
    frames = b"".join(zstd.compress(r, zstd_dict=dictionary) for r in records)
    for stored in (data, zstd.compress(data)):
        head = b"\x5d\x2a\x4d\x18" + len(stored).to_bytes(4, "little") + stored
        found, rejected = read(tmp_path, "a.warc.zst", head + frames)
        assert len(found) == 200 and not rejected


def test_chapters_in_reading_order(tmp_path):
    found, rejected = read(tmp_path, "a.epub", epub([page("one"), page("zwei ß")]))
    assert not rejected
    assert found[0].text == "Page one is here.\n\nPage zwei ß is here.\n\n"
    assert found[0].metadata == {
        "title": "Ein Buch", "creator": "A. Eins; B. Zwei", "language": "de", "chapters": [0, 19]
    }  # fmt: skip


def test_a_broken_chapter_costs_itself(tmp_path):
    chapters = [page("one"), b"a\0b", page("three")]
    found, rejected = read(tmp_path, "a.epub", epub(chapters, extra=["missing.xhtml"]))
    assert found[0].text.startswith("Page one") and "Page three" in found[0].text
    assert [(r.line, r.reason) for r in rejected] == [(2, "broken chapter"), (4, "broken chapter")]


def test_a_book_that_unpacks_to_far_more(tmp_path):
    found, rejected = read(tmp_path, "a.epub", epub([b" " * (65 * 2**20)]))
    assert not found and [r.reason for r in rejected] == ["file too large"]


def test_a_message(tmp_path):
    found, _ = read(tmp_path, "a.eml", MAIL)
    assert found[0].text == "Grüße\n>From here on.\n"
    assert found[0].created == "2024-05-06T07:08:09+02:00"
    assert found[0].metadata == {
        "subject": "Über",
        "date": "Mon, 06 May 2024 07:08:09 +0200",
        "from": "Jürgen <j@a.example>",
    }


def test_plain_text_is_preferred_to_html_and_html_to_nothing(tmp_path):
    parts = b"--b\nContent-Type: text/html\n\n<p>Reich</p>\n"
    plain = b"--b\nContent-Type: text/plain; charset=nonsense\n\nSchlicht \xc3\xbc\n"
    head = b"Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n"
    assert read(tmp_path, "a.eml", head + parts + plain + b"--b--\n")[0][0].text == "Schlicht ü"
    assert read(tmp_path, "a.eml", head + parts + b"--b--\n")[0][0].text == "Reich"
    image = b"Subject: x\nContent-Type: image/png\n\nxx"
    assert read(tmp_path, "a.eml", image)[1][0].reason == "mail without text"


def test_a_box_is_cut_at_its_separators_only(tmp_path, monkeypatch):
    monkeypatch.setattr(mail_reader, "LARGEST_MESSAGE", 2000)
    sentence = b"Subject: s\n\nOne.\n\nFrom here to there.\n"
    box = [MAIL, sentence, b"no header here\n", b"Subject: long\n\n" + b"x y\n" * 1000, MAIL]
    data = b"".join(SEPARATOR + message + b"\n" for message in box)
    found, rejected = read(tmp_path, "a.mbox", data)
    assert [d.text.strip() for d in found] == [
        "Grüße\nFrom here on.", "One.\n\nFrom here to there.", "Grüße\nFrom here on."
    ]  # fmt: skip
    assert [(r.line, r.reason) for r in rejected] == [(17, "not mail"), (20, "message too large")]
    assert rejected[1].size > 4000


def test_parquet_by_row_groups(tmp_path):
    rows = [
        {"id": i, "title": f"t{i}", "body": f"Text {i}", "tags": ["a"], "created": None}
        for i in range(10)
    ]
    rows[3]["body"] = None
    data = parquet(rows, row_group_size=2, compression="zstd")
    found, rejected = read(tmp_path, "a.parquet", data)
    assert [d.text for d in found] == [f"Text {i}" for i in range(10) if i != 3]
    assert found[0].metadata == {"title": "t0", "id": 0, "text_field": "body"}
    assert [(r.line, r.reason) for r in rejected] == [(4, "no text")]


def test_a_broken_row_group_costs_itself(tmp_path):
    rows = [{"text": f"{i} {random.Random(i).random()}"} for i in range(1000)]
    data = parquet(rows, row_group_size=100, compression="gzip")
    place = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(4).column(0)
    middle = place.dictionary_page_offset + 300
    data = data[:middle] + b"\xff" * 300 + data[middle + 300 :]
    found, rejected = read(tmp_path, "a.parquet", data)
    assert len(found) == 900
    assert [(r.line, r.reason) for r in rejected] == [(401, "broken row group")]


def test_a_parquet_text_that_is_no_text(tmp_path):
    good = pa.array([b"gut", b"\xff\xfe", b"auch gut"]).cast(pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, good.buffers())
    data = parquet(pa.table({"text": texts}))
    found, rejected = read(tmp_path, "a.parquet", data)
    assert [d.text for d in found] == ["gut", "auch gut"]
    assert [(r.line, r.reason) for r in rejected] == [(2, "not UTF-8")]
    assert (
        read(tmp_path, "b.parquet", parquet(pa.table({"n": [1]})))[1][0].reason == "no text field"
    )


def test_where_pages_start_and_a_broken_one(tmp_path):
    found, rejected = read(tmp_path, "a.pdf", pdf(["one", "two", "three"]))
    text, starts = found[0].text, found[0].metadata["pages"]
    assert not rejected and [text[i:].split()[0] for i in starts] == ["one", "two", "three"]
    found, rejected = read(tmp_path, "a.pdf", pdf(["one", None, "three"]))
    assert found[0].text == "one\n\nthree\n\n"
    assert found[0].metadata["pages"] == [0, 5, 5]
    assert [(r.line, r.reason) for r in rejected] == [(2, "broken page")]


def test_json_lists_objects_and_lines(tmp_path):
    items = [{"text": "eins"}, 2, {"content": "drei"}, {"other": 1}]
    found, rejected = read(tmp_path, "a.json", json.dumps(items, indent=1).encode())
    assert [d.text for d in found] == ["eins", "drei"]
    assert [(r.line, r.reason) for r in rejected] == [(2, "no text field"), (4, "no text field")]
    assert [d.text for d in read(tmp_path, "b.json", b'{"text": "eins"}\n')[0]] == ["eins"]
    found, rejected = read(tmp_path, "c.json", b'{"text": "a"}\n{"text": \n{"text": "c"}\n')
    assert [d.text for d in found] == ["a", "c"] and [r.line for r in rejected] == [2]
    assert read(tmp_path, "d.json", b'{\n"text": ')[1][0].reason == "not JSON"


def test_of_a_set_of_questions_the_paragraphs_are_the_text(tmp_path):
    asked = {"question": "When?", "answers": [{"text": "1908", "answer_start": 8}]}
    inside = [{"context": "Born in 1908.", "qas": [asked]}, {"qas": []}, {"context": "Zwei."}]
    squad = {"version": "1.1", "data": [{"title": "One", "paragraphs": inside}]}
    found, rejected = read(tmp_path, "a.json", json.dumps(squad).encode())
    assert [d.text for d in found] == ["Born in 1908.", "Zwei."]
    assert [d.metadata["title"] for d in found] == ["One", "One"]
    assert [(r.line, r.reason) for r in rejected] == [(1, "no text field")]
    row = {"question": "When?", "context": "Born in 1908.", "answers": {"text": ["1908"]}}
    assert read(tmp_path, "b.jsonl", json.dumps(row).encode())[0][0].text == "Born in 1908."
    other = {"text": "a plain record", "paragraphs": ["no", "set"]}
    assert read(tmp_path, "c.json", json.dumps(other).encode())[0][0].text == "a plain record"
