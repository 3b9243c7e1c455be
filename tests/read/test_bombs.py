"""One document neither stalls nor kills a build: it is left out and said, others are kept."""

import io
import json
import os
import random
import socket
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.corpus.corpus import Corpus
from hornbook.read.formats import packed, warc_frames
from tests.in_process import hornbook
from tests.read.samples import MAIL, SEPARATOR, pack, page, record

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
KINDS = "http://schemas.openxmlformats.org/package/2006/content-types"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
SECONDS = 60
"""For a build with one bomb: its limits are ten, and other work may have the processor."""


def healthy(seed):
    """A text like no other, long enough to train on and measure."""
    draw = random.Random(seed)
    return " ".join(f"{draw.choice('aeiou')}{draw.choice('bdgklmnrst')}" * 2 for _ in range(1000))


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def word(body, before=""):
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{KINDS}"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Override '
            f'PartName="/word/document.xml" ContentType="{main}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="r" Type="{MAIN}" '
            'Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'{before}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body>'
            "</w:document>",
        }
    )


def nested_forms(depth=12, width=10):
    """A page that draws a form ten times, which draws a form ten times, and so on."""
    fonts = b"/Font<</F 4 0 R>>"

    def stream(data, more=b""):
        return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), more, data)

    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 5 0 R"
        b"/Resources<<%s/XObject<</X 6 0 R>>>>>>" % fonts,
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream(b"BT /F 12 Tf (words) Tj ET /X Do"),
    ]
    for i in range(depth):
        is_last = i == depth - 1
        inner = b"" if is_last else b"/XObject<</X %d 0 R>>" % (7 + i)
        body = b"BT /F 12 Tf (abc) Tj ET " if is_last else b"/X Do " * width
        more = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<%s%s>>" % (fonts, inner)
        objects.append(stream(body, more))
    body = b"".join(b"%d 0 obj%s endobj\n" % item for item in enumerate(objects, 1))
    return b"%%PDF-1.4\n%strailer<</Size %d/Root 1 0 R>>\n%%%%EOF" % (body, len(objects) + 1)


def entities():
    inner = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(12))
    return f'<!DOCTYPE x [<!ENTITY a0 "lol">{inner}]>'


def zst(piece, times):
    """A piece packed, many times over."""
    packer = packed._zstd().ZstdCompressor()
    return b"".join(packer.compress(piece) for _ in range(times)) + packer.flush()


def spine(count):
    names = "".join(f'<item id="i{i}" href="c{i}.xhtml"/>' for i in range(count))
    refs = "".join(f'<itemref idref="i{i}"/>' for i in range(count))
    return zipped(
        {
            "META-INF/container.xml": '<c><rootfile full-path="b.opf"/></c>',
            "b.opf": f"<package><manifest>{names}</manifest><spine>{refs}</spine></package>",
        }
    )


def dictionary():
    """Five thousand rows that are one text of fifty megabytes each."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), ["x" * 50_000_000])
    out = io.BytesIO()
    pq.write_table(pa.table({"text": values}), out)
    return out.getvalue()


def letter(headers, body=b"Text of the letter.\n"):
    return b"From: a@b.example\n" + headers + b"\n" + body


def cell(inner):
    return f"<w:tbl><w:tr><w:tc>{inner}<w:p><w:r><w:t>in</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"


SPAN = '<w:tcPr><w:gridSpan w:val="100000000"/></w:tcPr>'
ENCODED = b"Subject: " + b"\n ".join([b"=?utf-8?q?word?="] * 50_000) + b"\n"
SENDERS = b"To: " + b", ".join(b"a%d@b.example" % i for i in range(200_000)) + b"\n"
NESTED = b"".join(
    b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (i, i + 1) for i in range(3000)
)
LOST = "took too long|too much memory|the reader crashed|nested too deeply"
BOMBS = {
    "nested forms.pdf": (lambda: nested_forms(), LOST),
    "encoded words.eml": (lambda: letter(ENCODED), LOST + "|kept"),
    "senders.eml": (lambda: letter(SENDERS), LOST + "|kept"),
    "parameters.eml": (
        lambda: letter(b"Content-Type: text/plain; " + b";\n ".join([b"a=b"] * 50_000) + b"\n"),
        LOST + "|kept",
    ),
    "nested parts.eml": (
        lambda: letter(b"Content-Type: multipart/mixed; boundary=b0\n", NESTED),
        LOST,
    ),
    "span.docx": (lambda: word(cell(SPAN)), LOST + "|kept"),
    "deep.docx": (lambda: word("<w:sdt><w:sdtContent>" * 20_000), LOST + "|broken Word file"),
    "entities.docx": (
        lambda: word("<w:p><w:r><w:t>&a12;</w:t></w:r></w:p>", entities()),
        "broken Word file",
    ),
    "unpacks.docx": (lambda: word("<w:p/>" * 12_000_000), "file too large"),
    "divs.html": (lambda: b"<div>" * 200_000 + b"text", LOST + "|kept"),
    "spans.html": (
        lambda: b"<table><tr><td colspan=99999999 rowspan=99999999>text</table>",
        "kept",
    ),
    "attributes.html": (
        lambda: b"<p " + b" ".join(b"a%d=1" % i for i in range(60_000)),
        LOST + "|kept|empty",
    ),
    "entities.xhtml": (
        lambda: f'<?xml version="1.0"?>{entities()}<html><body>&a12;</body></html>'.encode(),
        LOST + "|kept",
    ),
    "spine.epub": (lambda: spine(100_000), "too many chapters"),
    "blank.jsonl.zst": (lambda: zst(b"\n" * 10**8, 10), "unpacks to too much"),
    "deep.jsonl": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not JSON"),
    "deep.json": (lambda: b"[" * 1_000_000, "not JSON"),
    "line.jsonl": (lambda: b'{"text": "' + b"x" * 30_000_000 + b'"}', "line too long"),
    "cell.csv": (lambda: b"text,n\n" + b"x" * 30_000_000 + b",1\n", "line too long"),
    "quotes.csv": (lambda: b"text\n" + b'"' * 1_000_001 + b"\nhealthy too\n", "broken row"),
    "dictionary.parquet": (lambda: dictionary(), "too much memory"),
    "lengths.warc": (lambda: record(b"", length=10**17) * 3000, "broken record"),
    "head.warc": (
        lambda: record(page("x")).replace(
            b"\r\n\r\n<", b"\r\n" + b"X-A: b\r\n" * 300_000 + b"\r\n<"
        ),
        "broken page|broken record",
    ),
}


def build(tmp_path, *options):
    """Its books and what it left out, through the command line."""
    started = time.monotonic()
    out = tmp_path / "corpus"
    command = ["corpus", "build", str(tmp_path / "in"), "--out", str(out), "--json", *options]
    code, printed, said = hornbook(*command)
    assert code == 0, said
    lines = (out / "quarantine.jsonl").read_text(encoding="utf-8").split("\n")
    return (
        json.loads(printed),
        list(map(json.loads, filter(None, lines))),
        time.monotonic() - started,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_itself(tmp_path, name):
    make, reasons = BOMBS[name]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(make())
    for neighbour in ("a.txt", "z.txt"):
        (tmp_path / "in" / neighbour).write_text(healthy(neighbour))
    facts, broken, took = build(tmp_path)
    found = {row["reason"] for row in broken}
    assert found <= set(reasons.split("|")), broken[:3]
    assert found or "kept" in reasons
    books = facts["documents"]
    assert books["in"] == books["kept"] + sum(books["dropped"].values()) and books["kept"] >= 2
    assert took < SECONDS


@pytest.mark.slow
def test_letters_around_one_that_never_ends(tmp_path):
    """The record that ended its reader is found again; before and after it nothing is lost."""
    bomb = letter(b"Content-Type: multipart/mixed; boundary=b0\n", NESTED)
    long = SEPARATOR[:-5] + b" 00:00" * 200_000 + b"\n"
    letters = [MAIL.replace(b"Gr", b"%d Gr" % i) for i in range(50)]
    boxes = [*letters[:30], bomb, long + letters[30], *letters[31:]]
    (tmp_path / "in").mkdir()
    data = b"\n".join(SEPARATOR + box + b"\n" for box in boxes)
    (tmp_path / "in" / "box.mbox").write_bytes(data)
    (tmp_path / "in" / "a.txt").write_text(healthy(0))
    facts, broken, _ = build(tmp_path)
    assert len(broken) == 1 and facts["documents"]["in"] == 52


def test_what_is_no_file_is_never_opened(tmp_path):
    """Pipes, sockets, devices and loops in a folder: opening one may wait for ever."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(healthy(0))
    os.mkfifo(folder / "pipe.txt")
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "folder").symlink_to(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.txt"))
        facts, broken, _ = build(tmp_path)
    assert facts["documents"]["in"] == 1 and not broken


def test_names_that_would_steer_a_terminal(tmp_path):
    (tmp_path / "in").mkdir()
    for i, name in enumerate(["a\nb.txt", "c\x1b[31m.txt", "d\r.html", "é\udcff.txt"]):
        (tmp_path / "in" / name).write_text(healthy(i))
    facts, broken, _ = build(tmp_path)
    assert facts["documents"]["kept"] == 4 and not broken
    ids = [document.id for document in Corpus.open(tmp_path / "corpus").documents()]
    assert all(id.isprintable() for id in ids)


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("length", [10**17, 30_000])
def test_lengths_that_lead_nowhere_are_not_followed_again_and_again(
    tmp_path, monkeypatch, packing, length
):
    """Bytes that are read grow with the file, not with its square; what is whole is kept."""
    monkeypatch.setattr(warc_frames, "_MOST_IN_VAIN", 2**20)
    wrong = b"".join(record(b"", length=length + i) for i in range(300))
    data = record(page("one")) + wrong + record(page("two"))
    data += record(page("three")) if length < 10**6 else b""
    path = tmp_path / f"a.warc{packing}"
    path.write_bytes(pack(data, packing))
    with Counted(path) as raw:
        frames = [f for f in warc_frames.Frames(raw) if isinstance(f, warc_frames.Frame)]
    assert len(frames) == (2 if length > 10**6 else 3)
    assert raw.taken < 4 * 2**20 + 8 * len(data)


class Counted(io.FileIO):
    """A file that counts the bytes that are read of it."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data

    def readline(self, size=-1):
        line = super().readline(size)
        self.taken += len(line)
        return line
