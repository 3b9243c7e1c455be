"""Packed files and archives of the web: a break costs one record."""

import gzip
import io
import json
import random
import zlib

import pytest

from hornbook.read.formats import packed, warc_frames
from tests.read.samples import pack, page, read, record


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
