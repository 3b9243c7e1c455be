"""Real web archives: every page is found, and its letters are what they were."""

import re

import pytest

from hornbook.read.documents import Document
from hornbook.read.sources import read_file

pytestmark = pytest.mark.data

PAGES = {
    "archive-org": (140, 37, 122),
    "iana": (20, 0, 28),
    "wikipedia-mona-lisa": (2, 0, 37),
    "research-sites": (22, 0, 0),
    "commoncrawl-mixed": (7, 0, 0),
}
"""HTML responses as shared/data/README.md counts them, plain texts, and responses that are
neither: counted by fastwarc's own iterator."""


def read(data, name):
    items = list(read_file(data / "web_warc" / f"{name}.warc.gz"))
    documents = [item for item in items if isinstance(item, Document)]
    return documents, [item for item in items if not isinstance(item, Document)]


@pytest.mark.parametrize("name", PAGES)
def test_every_response_is_accounted_for(data, name):
    documents, rejected = read(data, name)
    pages, plain, other = PAGES[name]
    assert (len(documents), len(rejected)) == (pages + plain, other)
    assert {item.reason for item in rejected} <= {"not a page"}
    assert all(item.size > 0 for item in rejected)
    for document in documents:
        assert re.match(r"https?://|dns:", document.metadata["url"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z", document.created)
    text = "".join(document.text for document in documents)
    assert text.count("\ufffd") <= len(text) / 100_000


def test_letters_of_four_languages(data):
    documents, _ = read(data, "commoncrawl-mixed")
    texts = {document.metadata["url"]: document.text for document in documents}

    def share(url, letters):
        (text,) = (text for name, text in texts.items() if url in name)
        assert "\ufffd" not in text
        return len(re.findall(letters, text)) / len("".join(text.split()))

    assert share("01spb.ru", "[а-яёА-ЯЁ]") > 0.7
    for chinese in ("044545.com", "0615235.com", "0760.jxtdw.com"):
        assert share(chinese, "[\u4e00-\u9fff]") > 0.3
    assert share("petzi", "[A-Za-zäöüÄÖÜß]") > 0.5
    assert share("0900-hovenier.nl", "[A-Za-z]") > 0.8


def test_a_cut_archive_keeps_its_beginning(data, tmp_path):
    whole = (data / "web_warc" / "iana.warc.gz").read_bytes()
    cut = tmp_path / "cut.warc.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    items = list(read_file(cut))
    assert [item.reason for item in items if not isinstance(item, Document)][-1] == "broken gzip"
    all_documents, _ = read(data, "iana")
    found = [item.text for item in items if isinstance(item, Document)]
    assert 0 < len(found) < 20
    assert found == [document.text for document in all_documents[: len(found)]]
