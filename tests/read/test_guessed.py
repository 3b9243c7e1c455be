"""Plain texts of other charsets, for those who ask them."""

import pytest

import hornbook.read.guessed as module
from hornbook.read.documents import REPLACED, Document, Rejection
from hornbook.read.guessed import CHARSET_GUESSED, with_charset_guessed
from hornbook.read.sources import read_here
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.in_process import hornbook
from tests.tiny import QUIET

CHINESE = "本办法自二〇二四年五月一日起施行。\n每件商标注册申请的费用为三百元。"
TEXTS = {
    "gb18030": CHINESE,
    "big5hkscs": "本辦法自二零二四年五月一日起施行。每件商標註冊申請的費用為三百元。",
    "cp932": "この規則は二〇二四年五月一日から施行する。申請の手数料は三百円とする。",
    "cp1251": "Договор вступает в силу первого мая и действует два года.",
    "cp1252": "Die Miete beträgt 300 Euro und ist monatlich im Voraus zu zahlen, überall.",
}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setattr(module, "read_guarded", lambda work, path: work(str(path)))


def read(path):
    return list(with_charset_guessed(read_here(path), path))


@pytest.mark.parametrize("charset", TEXTS)
@pytest.mark.parametrize("suffix", [".txt", ".md"])
def test_the_charset_that_a_text_looks_like(tmp_path, charset, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(TEXTS[charset].replace("\n", "\r\n").encode(charset))
    (document,) = read(path)
    assert document.text == TEXTS[charset] and document.metadata[CHARSET_GUESSED]


def test_front_matter_and_damage(tmp_path):
    (tmp_path / "a.md").write_bytes(f"---\ntitle: 规定\n---\n{CHINESE}".encode("gb18030"))
    (document,) = read(tmp_path / "a.md")
    assert (document.text, document.metadata["title"]) == (CHINESE, "规定")
    (tmp_path / "b.txt").write_bytes((CHINESE * 4).encode() + b"\xff")
    (document,) = read(tmp_path / "b.txt")
    assert document.text.startswith(CHINESE) and document.metadata[REPLACED] == 1


def test_what_is_not_guessed(tmp_path):
    for name, data in {
        "noise.txt": bytes(range(128, 256)) * 8,
        "table.csv": f"text\n{CHINESE}".encode("gb18030"),
        "nul.txt": b"a\0b\xff",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert all(isinstance(item, Rejection) for item in read(tmp_path / name)), name
    (tmp_path / "plain.txt").write_text(CHINESE, encoding="utf-8")
    (document,) = read(tmp_path / "plain.txt")
    assert isinstance(document, Document) and CHARSET_GUESSED not in document.metadata
    (tmp_path / "empty.txt").write_text("")
    assert [type(one) for one in read(tmp_path / "empty.txt")] in ([], [Rejection])


def test_an_index_says_how_many_it_guessed(tmp_path):
    (tmp_path / "a.txt").write_bytes(CHINESE.encode("gb18030"))
    report = make_index(
        IndexRequest((str(tmp_path / "a.txt"),), encoder="none"), tmp_path / "o", QUIET
    )
    assert (report.charsets_guessed, report.refused) == (1, 0)
    code, said, _ = hornbook("ask", tmp_path / "o", "商标注册申请的费用是多少？")
    assert code == 0 and "三百元" in said
