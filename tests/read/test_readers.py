"""Readers: whatever the bytes, documents or rejections come out, and a break costs one record."""

import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.read.formats import READERS
from hornbook.read.formats import mail as mail_reader
from hornbook.read.sources import format_of
from tests.read.samples import ALL, GOOD, MAIL, SEPARATOR, TEXT, epub, pack, page, pdf, read
from tests.tables import parquet
from tests.tiny import slow

OFTEN = (".jsonl", ".txt", ".warc")
"""Formats that lie packed everywhere: of the others, packed, the slow set tells."""
PACKED = [(suffix, packing) for suffix in ALL for packing in (".gz", ".zst")]


@pytest.mark.parametrize(
    ("suffix", "packing"),
    [
        *((suffix, "") for suffix in ALL),
        *(one for one in PACKED if one[0] in OFTEN),
        *slow(*(one for one in PACKED if one[0] not in OFTEN)),
    ],
)
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
