"""Charsets: the labels of the WHATWG Encoding Standard on every path, and no control anywhere."""

import gzip
import io
import json
import sys
import unicodedata
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.read.documents import Document
from hornbook.read.formats import READERS
from hornbook.read.formats.charsets import charset_named, decode_as
from hornbook.read.formats.decode import decode_labelled, without_controls
from hornbook.read.sources import read_file

# (label, what is found under it, its bytes): pages and letters use all of these.
FOUND = [
    ("shift_jis", "髙橋さんと①番の㈱会社", "cp932"),
    ("x-sjis", "髙橋 ﾃｽﾄ ～", "cp932"),
    ("cp932", "纊褜鍈", "cp932"),
    ("windows-31j", "№㏍℡", "cp932"),
    ("euc-kr", "똠방각하 펲시콜라", "cp949"),
    ("ks_c_5601-1987", "찦차를 타고", "cp949"),
    ("ms949", "쑛쌰", "cp949"),
    ("windows-949", "햏", "cp949"),
    ("gb2312", "朱镕基與喆先生", "gbk"),
    ("GBK", "囍鎔€", "gb18030"),
    ("x-gbk", "㐀㐁 𠀀", "gb18030"),
    ("big5", "嘅咗喺 香港", "big5hkscs"),
    ("big5-hkscs", "嚿嘢", "big5hkscs"),
    ("iso-8859-1", "“quoted” – €5 it’s", "cp1252"),
    ("latin1", "Œuvre…", "cp1252"),
    ("iso-8859-9", "“ğüşı”", "cp1254"),
    ("tis-620", "“ภาษาไทย”", "cp874"),
    ("cp874", "ไทย…", "cp874"),
    ("windows-874", "ไทย €", "cp874"),
    ("koi8-u", "їжак ґанок", "koi8-u"),
    ("ibm866", "Привет", "cp866"),
    ("x-mac-roman", "naïve “x”", "mac-roman"),
    ("macintosh", "Ünïcödé", "mac-roman"),
    ("x-mac-cyrillic", "Привет", "mac-cyrillic"),
    ("unicode-1-1-utf-8", "日本", "utf-8"),
    ("iso-8859-8-i", "עברית", "iso8859-8"),
    ("iso-2022-kr", "한국어", "iso2022_kr"),
    ("hz-gb-2312", "中文", "hz"),
]


@pytest.mark.parametrize("label, text, codec", FOUND)
def test_a_label_means_what_is_found_under_it(label, text, codec):
    found = decode_labelled(text.encode(codec), [label])
    assert found.text == text and found.replaced == 0


def test_japanese_of_windows_in_unix_and_mail_charsets():
    assert decode_as(b"\xad\xa1\xfc\xe2 \x8e\xb6", "euc_jp") == "①髙 ｶ"
    assert decode_as(b"\x8f\xb0\xa1\xa1\xc1", "euc_jp") == "丂～"
    seven = b"\x1b$B-!|b\x1b(I6E\x1b(Babc\x1b$@F|K\\\x1b(J."
    assert decode_labelled(seven, ["iso-2022-jp"]).text == "①髙ｶﾅabc日本."
    assert decode_labelled(b"\x1b$BF|K\\8l$H4A;z\x1b(B").text == "日本語と漢字"
    assert charset_named("cp50221") == "iso2022_jp"


def test_bytes_that_browsers_read_and_python_refuses():
    assert decode_as(b"\x81\x8d", "cp1252") == "\x81\x8d"
    assert decode_as(b"\x80\xb0\xa1", "gb18030") == "€啊"
    assert decode_as(b"\xa3\xe1\xa1\x45", "big5hkscs") == "€‧"
    assert decode_as(b"\xa6\xd9", "gb18030") == "︐"
    assert decode_labelled(b"\x82\xa0" * 50 + b"\xff", ["shift_jis"]) == ("あ" * 50 + "\ufffd", 1)


@pytest.mark.parametrize(
    "text, codec, label",
    [
        ("日本語のテキストです。", "cp932", "euc-jp"),
        ("日本語のテキストです。", "cp932", "utf-8"),
        ("日本語のテキストです。", "cp932", "us-ascii"),
        ("日本語のテキストです。", "euc_jp", "bogus"),
        ("Grüße aus Köln", "utf-8", "iso-8859-1"),
        ("日本", "utf-8", "gb2312"),
        ("it’s one sign of many", "cp1252", "utf-8"),
        ("naïve “quotes” here", "cp1252", "us-ascii"),
        ("café", "cp1252", None),
        ("smørrebrød på åen", "cp1252", None),
        ("Zażółć gęślą jaźń", "cp1250", None),
        ("hello, naïve world", "utf-16-le", None),
        ("hello, naïve world", "utf-16-be", None),
        ("hello", "utf-16-le", "utf-16le"),
        ("hello", "ascii", "utf-16le"),
        ("日本", "utf-8-sig", "shift_jis"),
        ("日本", "utf-16", "shift_jis"),
        ("A+B ü", "utf-7", "utf-7"),
    ],
)
def test_a_label_that_the_bytes_contradict_is_not_believed(text, codec, label):
    assert decode_labelled(text.encode(codec), [label]) == (text, 0)


def test_one_broken_byte_costs_itself_and_is_counted():
    page = ("<meta charset=utf-8><p>" + "Ein Text über Bücher. " * 9).encode() + b"\xff ende"
    assert decode_labelled(page).replaced == 1
    genuine = "a \ufffd b".encode()
    assert decode_labelled(genuine) == ("a \ufffd b", 0)


HEAD = b'<html><head><meta http-equiv="Content-Type" content="text/html; charset=%s"></head>'


def one(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    (item,) = read_file(path)
    assert isinstance(item, Document), item
    return item


def warc(body, kind):
    block = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + body
    head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\n"
    return f"{head}Content-Length: {len(block)}".encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


@pytest.mark.parametrize("label, text, codec", FOUND[::3])
def test_pages_archives_and_letters(tmp_path, label, text, codec):
    data = text.encode(codec)
    page = HEAD % label.encode() + b"<body><p>" + data + b"</p></body></html>"
    assert one(tmp_path, "a.html", page).text == text
    bare = b"<html><body><p>" + data + b"</p></body></html>"
    assert one(tmp_path, "a.warc", warc(bare, f"text/html; charset={label}")).text == text
    assert one(tmp_path, "b.warc", warc(data, f'text/plain; Charset="{label}"')).text == text
    letter = f"Subject: x\nContent-Type: text/plain; charset={label}\n\n".encode() + data
    assert one(tmp_path, "a.eml", letter).text == text


def test_xml_declarations_and_comments(tmp_path):
    page = "<html><body><p>髙橋</p></body></html>".encode("cp932")
    declared = b'<?xml version="1.0" encoding="Shift_JIS"?>' + page
    assert one(tmp_path, "a.xhtml", declared).text == "髙橋"
    comment = b"<!-- <meta charset=koi8-r> --><meta charset=windows-1251>"
    russian = comment + "<p>Привет мир</p>".encode("cp1251")
    assert one(tmp_path, "a.html", russian).text == "Привет мир"


# What no text holds, between two words each.
LOST = "\0\x01\x08\x0b\x0c\x1b\x1f\x7f\x80\x85\x9f\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"
WORDS = [f"w{i}" for i in range(len(LOST))]
TEXT = "".join(word + sign for word, sign in zip(WORDS, LOST, strict=True)) + " end"


def is_lost(sign):
    code = ord(sign)
    control = unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t"
    return control or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def files():
    plain = TEXT.replace("\0", "")
    page = f"<html><title>{plain}</title><body><p>{plain}</p></body></html>".encode()
    table = io.BytesIO()
    pq.write_table(pa.table({"text": [TEXT], "title": [TEXT]}), table)
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("a.opf", '<p><item id="a" href="a.html"/><itemref idref="a"/></p>')
        archive.writestr("a.html", page)
    letter = b"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n" + plain.encode()
    return {
        "a.txt": plain.encode(),
        "a.md": plain.encode(),
        "a.html": page,
        "a.xhtml": page,
        "a.jsonl": json.dumps({"text": TEXT, "title": TEXT}).encode(),
        "a.json": json.dumps([{"text": TEXT}]).encode(),
        "a.tsv": b"text\tn\n"
        + plain.encode().replace(b"\x0b", b"").replace(b"\x0c", b"")
        + b"\t1\n",
        "a.parquet": table.getvalue(),
        "a.eml": letter,
        "a.mbox": b"From a@b Mon May  6 07:08:09 2024\n" + letter,
        "a.warc": warc(page, "text/html"),
        "a.warc.gz": gzip.compress(warc(plain.encode(), "text/plain; charset=utf-8")),
        "a.epub": book.getvalue(),
    }


@pytest.mark.parametrize("name", files())
def test_no_control_and_no_noncharacter_gets_through(tmp_path, name):
    document = one(tmp_path, name, files()[name])
    strings = [v for v in document.metadata.values() if isinstance(v, str)]
    assert not [s for text in (document.text, *strings) for s in text if is_lost(s)]
    assert all(word in document.text for word in WORDS)
    assert document.metadata["controls_removed"] >= 5
    archives = {suffix for suffix in READERS if suffix[:3] in (".pp", ".po", ".od", ".ot", ".xl")}
    assert len(files()) + 8 > len(READERS) - len(archives)  # XML has no controls


def test_what_is_taken_out_and_what_stays():
    for code in range(sys.maxunicode + 1):
        sign = chr(code)
        if not 0xD800 <= code < 0xE000 and (is_lost(sign) or code % 97 == 0):
            assert without_controls(f"ä{sign}b")[1] == is_lost(sign), hex(code)
    assert without_controls("a\fb\x85c\x07d\te\n") == ("a\nb\ncd\te\n", 3)
    text = "plain ä 还有 \u2028 \ufeff \U0001f600 \ufffd"
    assert without_controls(text)[0] is text


def test_text_without_a_label_that_is_no_utf8_is_named(tmp_path):
    chinese = "这是一个没有标签的文本文件，应当先转换。" * 3
    for name in ("a.txt", "a.csv"):
        path = tmp_path / name
        path.write_bytes(b"text,n\n" * (name == "a.csv") + chinese.encode("gbk"))
        rejected = [item for item in read_file(path) if not isinstance(item, Document)]
        assert [item.reason for item in rejected] == ["not UTF-8"]
        assert rejected[0].detail.endswith("it looks like gb18030")
    damaged = ("Ein Text über Bücher. " * 9).encode() + b"\xff ende"
    (tmp_path / "b.txt").write_bytes(damaged)
    (item,) = read_file(tmp_path / "b.txt")
    assert item.reason == "not UTF-8" and "looks" not in item.detail
