"""Pairs from every kind of file; what cannot be had is named by file, line and reason."""

import gzip

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.datasets.pairs import Pair, read_pairs
from hornbook.read.documents import Rejection
from tests.tables import jsonl, write

PAIRS = [Pair("Ein Hund läuft.", "A dog runs."), Pair("Zwei\u2028Katzen", 'Two "cats"')]


def rejected(found):
    return [(r.file, r.line, r.reason) for r in found if isinstance(r, Rejection)]


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_two_aligned_files(tmp_path, packed):
    sides = zip(*PAIRS, strict=True)
    files = [
        write(tmp_path, f"{n}{packed}", "\r\n".join(side))
        for n, side in zip(("train.de", "train.en"), sides, strict=True)
    ]
    assert list(read_pairs(files)) == PAIRS


@pytest.mark.parametrize(
    ("name", "data", "columns"),
    [
        ("a.tsv", "".join(f"{s}\t{t}\n" for s, t in PAIRS), None),
        ("a.tsv.gz", "id\tTarget\tSource\n" + "".join(f"1\t{t}\t{s}\n" for s, t in PAIRS), None),
        ("a.tsv", "de\ten\n" + "".join(f"{s}\t{t}\n" for s, t in PAIRS), ("de", "en")),
        ("a.csv", 'src,tgt\nEin Hund läuft.,A dog runs.\nZwei\u2028Katzen,"Two ""cats"""\n', None),
        ("a.jsonl", jsonl(pair._asdict() for pair in PAIRS), None),
        ("a.jsonl.gz", jsonl({"translation": {"de": s, "en": t}} for s, t in PAIRS), ("de", "en")),
        ("a.ndjson", "\n" + jsonl({"input": s, "output": t} for s, t in PAIRS), None),
    ],
)
def test_one_file(tmp_path, name, data, columns):
    assert list(read_pairs([write(tmp_path, name, data)], columns)) == PAIRS


def test_a_broken_line_costs_its_pair(tmp_path):
    files = [
        write(tmp_path, "de", b"eins\n \nDrei \xff\nvier\n"),
        write(tmp_path, "en", b"one\ntwo\nthree\n\n"),
    ]
    found = list(read_pairs(files))
    de = str(files[0])
    assert found[0] == Pair("eins", "one")
    assert rejected(found) == [
        (de, 2, "empty side"), (de, 3, "not UTF-8"), (de, 4, "empty side")
    ]  # fmt: skip
    assert [item.detail for item in found[1::2]] == ["source", "target"]


def test_broken_rows_and_records(tmp_path):
    table = write(tmp_path, "a.tsv", "eins\tone\nzwei\ndrei\tthree\n")
    assert rejected(read_pairs([table])) == [(str(table), 2, "broken row")]
    lines = write(tmp_path, "a.jsonl", '{"source": "a", "target": "b"}\n{\n[1]\n{"source": "a"}\n')
    reasons = [reason for _, _, reason in rejected(read_pairs([lines]))]
    assert reasons == ["not JSON", "no row", "no pair"]


def test_a_cut_archive_keeps_what_was_whole(tmp_path):
    file = tmp_path / "a.tsv.gz"
    text = "".join(f"Satz {i * 7919 % 1000003}\tsentence {i}\n" for i in range(50_000))
    file.write_bytes(gzip.compress(text.encode())[:-50_000])
    *whole, last = read_pairs([file])
    assert len(whole) > 1000 and whole[0] == Pair("Satz 0", "sentence 0")
    assert last.reason == "broken gzip"


def test_files_of_different_lengths_are_refused(tmp_path):
    files = [write(tmp_path, "de", "a\nb\nc\n"), write(tmp_path, "en", "a\nb\n")]
    with pytest.raises(HornbookError, match=r"not aligned: .*en has only 2 lines"):
        list(read_pairs(files))


def test_what_holds_no_pairs_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_pairs([tmp_path / "none"])
    with pytest.raises(UsageError, match="Name two aligned files"):
        read_pairs([write(tmp_path, "text.txt", "a")])
    with pytest.raises(UsageError, match="not in 3"):
        read_pairs([write(tmp_path, "x.tsv", "a")] * 3)
    table = write(tmp_path, "b.tsv", "de\tfr\nx\ty\n")
    with pytest.raises(UsageError, match="no columns de and en; its first row is de, fr"):
        list(read_pairs([table], ("de", "en")))
    # Languages above the pairs are no pair themselves, whatever the format.
    for names in ("de\tfr", "German\tFrench", "zh-CN\ten_US"):
        with pytest.raises(UsageError, match="no columns source and target"):
            list(read_pairs([write(tmp_path, "c.tsv", f"{names}\nHallo\tSalut\n")]))
    assert list(read_pairs([write(tmp_path, "d.tsv", "it\tEs ist\n")])) == [Pair("it", "Es ist")]
