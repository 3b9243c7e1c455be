"""What is brought and begun: uploads stay in their folder, commands outlive who began them."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.serve import studio as studio_package
from hornbook.serve.studio import alive
from hornbook.serve.studio.alive import is_locked
from hornbook.serve.studio.jobs import Jobs

WRONG_PATHS = (
    "../x.txt", "/x.txt", "a/../../x.txt", ".hidden", "a/.b/c.txt", "a//b", "", "a\\b", "a\nb",
    "x" * 300, "/".join("a" * 30),
)  # fmt: skip


def test_a_file_comes_in_pieces(studio):
    for start, piece in ((0, b"one "), (4, b"two "), (4, b"two "), (8, b"three")):
        place = f"/new/file?batch=letters&name=sub/a.txt&start={start}&whole=13"
        found = studio.put(place, piece)
        assert found.status_code == 200, found.text
    path = studio.folder / "texts" / "letters" / "sub" / "a.txt"
    assert path.read_bytes() == b"one two three"
    assert found.json()["folder"] == str(studio.folder / "texts" / "letters")
    assert studio.put("/new/file?batch=letters&name=sub/a.txt", b"anew").status_code == 200
    assert path.read_bytes() == b"anew"
    assert studio.put("/new/file?batch=letters&name=b.txt&start=5", b"x").status_code == 400


@pytest.mark.parametrize("name", WRONG_PATHS)
def test_a_file_goes_nowhere_else(studio, name):
    from urllib.parse import quote

    before = sorted(studio.folder.parent.rglob("*"))
    found = studio.put(f"/new/file?batch=other&name={quote(name)}", b"text")
    assert found.status_code in (400, 404)
    assert sorted(studio.folder.parent.rglob("*")) == before
    assert studio.put(f"/new/file?batch={quote(name)}&name=x.txt", b"").status_code in (400, 404)


def test_uploads_are_bounded(studio):
    assert studio.put("/new/file?batch=large&name=a&whole=1001", b"x").status_code == 400
    assert studio.put("/new/file?batch=large&name=a&whole=1000", b"x" * 999).status_code == 200
    assert studio.put("/new/file?batch=large&name=a&start=999&whole=1000", b"xx").status_code == 400
    assert studio.put("/new/file?batch=large&name=a&start=999&whole=1000", b"x").status_code == 200
    assert studio.put("/new/file?batch=large&name=b", b"xx").status_code == 400
    for name in ("a", "b", "c"):
        assert studio.put(f"/new/file?batch=many&name={name}", b"").status_code == 200
    assert studio.put("/new/file?batch=many&name=d", b"").status_code == 400


@pytest.mark.slow
def test_what_was_brought_is_looked_at(studio, tmp_path):
    (tmp_path / "a.txt").write_text("春眠不覺曉，處處聞啼鳥。" * 5)
    found = studio.post("/new/look", {"paths": str(tmp_path)})
    assert "春眠不覺曉" in found.text and "zh" in found.text
    for wrong in ("", "relative/path", "https://example.org/x", str(tmp_path / "nothing")):
        found = studio.post("/new/look", {"paths": wrong}, headers={"HX-Request": "true"})
        assert 'role="alert"' in found.text


def test_a_form_that_is_wrong_keeps_what_was_filled_in(studio):
    form = {"name": "mine", "paths": "/nowhere/at/all", "minutes": "0.1"}
    found = studio.post("/new", form)
    assert found.status_code == 400 and "/nowhere/at/all" in found.text
    assert 'value="mine"' in found.text and 'role="alert"' in found.text
    for name in ("", "../x", ".x", "a/b", "tablet"):
        assert studio.post("/new", {**form, "minutes": "1", "name": name}).status_code == 400
    assert not (studio.folder / "mine").exists()


@pytest.mark.slow
def test_a_command_outlives_who_began_it_and_is_stopped_by_anybody(tmp_path):
    begun = Jobs(tmp_path).begin(
        "mine", ["index", "--watch", "--out", str(tmp_path / "i"), str(tmp_path)]
    )
    other = Jobs(tmp_path)
    assert other.find("mine") == begun and begun.alive and begun.makes("mine/part")
    with pytest.raises(UsageError, match="still being made"):
        other.begin("mine", ["--help"])
    until = time.monotonic() + 60
    while not other.said("mine") and time.monotonic() < until:
        time.sleep(0.05)
    now, most = other.find("mine").memory() or (0, 0)
    assert 10**6 < now <= most < 10**11
    assert other.stop("mine")
    until = time.monotonic() + 30
    while other.find("mine").alive and time.monotonic() < until:
        time.sleep(0.05)
    assert not other.find("mine").alive and not other.stop("mine")
    assert other.find("mine").memory() is None
    assert other.find("../mine") is None and other.making("mine/part").name == "mine"


@pytest.mark.parametrize("name", ["jobs", "work_folder", "alive", "app"])
def test_no_module_needs_what_windows_lacks(name):
    """Locks are imported inside functions that other systems do not call."""
    text = (Path(studio_package.__file__).parent / f"{name}.py").read_text()
    top = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not [line for line in top if re.search(r"\b(fcntl|resource|pwd|termios)\b", line)]


@pytest.mark.slow
def test_without_locks_a_command_is_known_by_its_process(tmp_path, monkeypatch):
    pytest.importorskip("psutil")
    monkeypatch.setattr(alive, "HAS_LOCKS", False)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # what is imported there fails
    begun = Jobs(tmp_path).begin("mine", ["index", "--watch", "--out", "i", str(tmp_path)])
    other = Jobs(tmp_path)
    assert other.find("mine").alive
    with pytest.raises(UsageError, match="still being made"):
        other.begin("mine", ["--help"])
    assert other.stop("mine")
    until = time.monotonic() + 60
    while other.find("mine").alive and time.monotonic() < until:
        time.sleep(0.05)
    assert not other.find("mine").alive
    facts = tmp_path / ".studio" / "mine" / "job.json"
    facts.write_text(facts.read_text().replace(f": {begun.pid},", f": {os.getpid()},"))
    assert facts.read_text() and other.find("mine").pid == os.getpid()
    assert not other.find("mine").alive  # the id is another's: this process began before
    assert not is_locked(tmp_path)
