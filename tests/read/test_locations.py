"""A file in a store is found, named and read as one on the disk."""

import gzip
import importlib.util
import json
import random
import sys
import zipfile

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.read.documents import Document, Rejection
from hornbook.read.formats import packed
from hornbook.read.locations import is_local, lies_in, local_path
from hornbook.read.remote import clean
from hornbook.read.sources import (
    find_files,
    fingerprint,
    format_of,
    name_of,
    read_file,
    read_here,
    size_of,
)
from tests.tables import parquet


def missing(*packages):
    return any(importlib.util.find_spec(package) is None for package in packages)


needs_store = pytest.mark.skipif(missing("fsspec"), reason="needs hornbook[remote]")


def lines(count, width=30):
    noise = random.Random(count)
    rows = ({"text": f"{i} {noise.randbytes(width).hex()}"} for i in range(count))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def row_groups(count):
    rows = [json.loads(line) for line in lines(count).splitlines()]
    return parquet(rows, row_group_size=max(count // 4, 1))


def archive(count):
    records = []
    for line in lines(count).splitlines():
        head = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\n"
        body = b"%s\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (
            b"WARC-Target-URI: http://a.example",
            len(line),
            line,
        )
        records.append(gzip.compress(head.encode() + body))
    return b"".join(records)


MADE = {
    ".jsonl": lines,
    ".txt": lines,
    ".html": lambda count: b"<html><body><p>" + lines(count),
    ".jsonl.gz": lambda count: gzip.compress(lines(count)),
    ".jsonl.zst": lambda count: packed._zstd().compress(lines(count)),
    ".warc.gz": archive,
    ".parquet": row_groups,
}
"""Files by suffix; one of each way in which readers use a stream."""


@pytest.fixture
def memory():
    import fsspec

    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


def texts(items):
    items = list(items)
    assert all(isinstance(item, Document) for item in items)
    return [item.text for item in items]


@needs_store
def test_a_folder_is_listed_as_on_the_disk(memory, tmp_path):
    for name in ("b.jsonl", "a.txt", "sub/c.md", ".hidden/d.txt", "sub/.e.txt", "a b#c?.txt"):
        memory.pipe(f"/in/{name}", b'{"text": "x"}\n')
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'{"text": "x"}\n')
    memory.pipe("/in.txt", b"beside")
    found = find_files(["memory://in"])
    local = [str(path.relative_to(tmp_path)) for path in find_files([tmp_path])]
    assert [name_of(file) for file in found] == sorted(f"memory://in/{name}" for name in local)
    assert [size_of(file) for file in found] == [14] * 4
    assert sorted(map(format_of, found)) == [".jsonl", ".md", ".txt", ".txt"]
    assert find_files(["memory://in/", "memory://in/b.jsonl"]) == find_files(["memory://in/"])
    assert [item.id for item in read_file(found[2])] == ["memory://in/b.jsonl:0"]
    both = find_files(["memory://in/a.txt", tmp_path / "a.txt"])
    assert both[0] == tmp_path / "a.txt" and len(both) == 2


@pytest.mark.parametrize("suffix", MADE)
@needs_store
def test_every_format_reads_as_from_the_disk(memory, tmp_path, suffix):
    data = MADE[suffix](200)
    (tmp_path / f"a{suffix}").write_bytes(data)
    memory.pipe(f"/a{suffix}", data)
    [here], [there] = find_files([tmp_path]), find_files([f"memory://a{suffix}"])
    assert format_of(here) == format_of(there) and size_of(here) == size_of(there)
    seen = []
    found = list(read_here(there, advance=seen.append))
    assert texts(found) == texts(read_file(here))
    assert sum(seen) == len(data) or suffix == ".parquet"  # which is not read from end to end
    assert [item.id for item in found] == [f"memory://a{suffix}:{i}" for i in range(len(found))]


def test_a_file_url_is_the_path(tmp_path):
    path = tmp_path / "a ü.jsonl"
    path.write_bytes(lines(3))
    assert path.as_uri() != f"file://{path}"
    for url in (path.as_uri(), f"file://localhost{path}"):
        assert find_files([url]) == [path]
    assert list(read_file(find_files([path.as_uri()])[0])) == list(read_file(path))
    with pytest.raises(UsageError, match="names a machine"):
        find_files(["file://docs/a"])
    with pytest.raises(UsageError, match=r"none does not exist"):
        find_files([(tmp_path / "none").as_uri()])


def test_what_lies_in_the_output_folder(tmp_path):
    out = tmp_path / "out"
    for inside in (out, out / "a", str(out), (out / "a").as_uri()):
        assert lies_in(inside, out) and is_local(inside)
    for outside in (tmp_path, str(tmp_path / "outer"), tmp_path.as_uri(), f"zip://::{out}/a.zip"):
        assert not lies_in(outside, out)
    assert not lies_in("s3://bucket/out", out) and not is_local("simplecache::s3://b/x")
    assert local_path("a:b/c::d").parts == ("a:b", "c::d")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:word@h.example/a.jsonl?X-Amz-Signature=1", "https://h.example/a.jsonl"),
        ("https://token@h.example:8/a.gz#part", "https://h.example:8/a.gz"),
        ("ftp://me:w@rd@h.example/a@b.txt", "ftp://h.example/a@b.txt"),
        ("abfs://box@account.example/a.txt", "abfs://box@account.example/a.txt"),
        ("zip://in/x::https://u:p@h.example/a.zip?sig=1", "zip://in/x::https://h.example/a.zip"),
        ("s3://bucket/what?.txt", "s3://bucket/what?.txt"),
        ("hf://datasets/o/n@main/a.txt", "hf://datasets/o/n@main/a.txt"),
    ],
)
def test_names_keep_no_secret(url, shown):
    assert clean(url) == shown


@needs_store
def test_no_such_folder_or_protocol(memory):
    with pytest.raises(UsageError, match="memory://none does not exist"):
        find_files(["memory://none"])
    memory.makedir("/empty")
    with pytest.raises(UsageError, match="memory://empty holds no files"):
        find_files(["memory://empty"])
    with pytest.raises(UsageError, match=r"Unknown protocol 'htps'\. Did you mean 'https'"):
        find_files(["htps://a.example/b"])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"s3://b/x needs .*pip install 'hornbook\[remote\]'"):
        find_files(["s3://b/x"])


@needs_store
@pytest.mark.parametrize(
    ("url", "package", "install"),
    [
        ("http://a.example/b.txt", "aiohttp", "'hornbook[remote]'."),
        ("s3://bucket/x", "s3fs", "'hornbook[remote]' s3fs."),
        ("gs://bucket/x", "gcsfs", "'hornbook[remote]' gcsfs."),
        ("hf://datasets/a/b", "huggingface_hub", "'hornbook[hub,remote]'."),
    ],
)
def test_a_missing_package_of_a_store_is_named(monkeypatch, url, package, install):
    import fsspec

    known = sys.modules[fsspec.get_filesystem_class.__module__]
    monkeypatch.setattr(known, "_registry", {})  # what other tests have imported already
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as caught:
        find_files([url])
    assert str(caught.value).endswith(f"pip install {install}")


@needs_store
@pytest.mark.skipif(missing("huggingface_hub"), reason="needs hornbook[hub]")
def test_the_hub_when_it_cannot_be_reached():
    with pytest.raises(HornbookError, match="hf://datasets/a/b cannot be listed: Offline"):
        find_files(["hf://datasets/a/b"])


@needs_store
def test_a_file_that_changes_under_our_hands(memory):
    memory.pipe("/a.txt", b"long text")
    [file] = find_files(["memory://a.txt"])
    before = fingerprint([file], False)
    memory.pipe("/a.txt", b"short")
    with pytest.raises(HornbookError, match="5 bytes now, and had 9"):
        list(read_file(file))
    assert fingerprint(find_files(["memory://a.txt"]), False) != before


@needs_store
def test_a_zip_is_a_folder_and_its_damage_is_its_own(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("in/b.jsonl", "in/a.jsonl", "c.txt"):
            file.writestr(name, lines(3))
    found = find_files([f"zip://in::{path}"])
    assert [name_of(f) for f in found] == [f"zip://in/{n}.jsonl::{path}" for n in "ab"]
    assert [len(texts(read_file(f))) for f in found] == [3, 3]
    assert len(find_files([f"zip://::{path.as_uri()}"])) == 3
    data = path.read_bytes()
    at = data.index(b"in/b.jsonl") + 60
    (tmp_path / "b.zip").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    found = find_files([f"zip://::{tmp_path}/b.zip"])
    items = [item for file in found for item in read_file(file)]
    assert [(r.reason, r.file[:8]) for r in items if isinstance(r, Rejection)] == [
        ("unreadable file", "zip://in")
    ]
