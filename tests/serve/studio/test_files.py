"""Files that people bring: empty, wide, huge, half arrived, with names of all sorts."""

import csv
import os

import pytest

from tests.serve.studio.conftest import open_studio, write_run
from tests.tiny import slow

NAMES = ("my run", "run's “第一”", 'a"b', "a&b=c#d", "%2e%2e", "-rf", "跑" * 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def studio(folder):
    with open_studio(folder / "work") as found:
        yield found


def look(studio, kind, path):
    return studio.post("/new/look", {"kind": kind, "paths": str(path)})


@pytest.mark.parametrize("kind", ["text", "labels", "pairs", "images"])
@pytest.mark.parametrize("name", ["train.csv", *slow("train.txt", "train.jsonl", "train")])
def test_an_empty_file_is_said_to_be_empty(studio, folder, kind, name):
    (folder / name).write_bytes(b"")
    found = look(studio, kind, folder / name)
    assert found.status_code in (200, 400) and "<html" in found.text
    assert 'class="wrong"' in found.text
    assert "The server has failed" not in found.text


def test_a_table_of_200_columns(studio, folder):
    names = [f"column {i} of the survey" for i in range(198)]
    with (folder / "wide.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*names, "text", "label"])
        rows.writerows([[*range(198), f"text {i}", "ab"[i % 2]] for i in range(20)])
    found = look(studio, "labels", folder / "wide.csv")
    assert found.status_code == 200 and found.text.count("<option") == 400
    found = studio.post("/compare/look", {"paths": str(folder / "wide.csv")})
    assert "column text" in found.text and "column label" in found.text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "labels", "images"])
@pytest.mark.parametrize("name", ["huge.txt", "huge.csv", "huge.jsonl", "huge.pdf", "huge.png"])
def test_a_huge_file_of_nothing_holds_nobody_up(studio, folder, kind, name):
    with (folder / name).open("wb") as file:
        file.truncate(2 * 2**30)
    before = os.times()
    found = look(studio, kind, folder / name)
    assert "The server has failed" not in found.text and 'class="wrong"' in found.text
    assert os.times().user - before.user < 5
    (folder / name).unlink()


def test_a_file_of_which_a_piece_is_missing_is_nobodys_text(studio):
    place = "/new/file?batch=cut&name=a.txt&start={}&whole=9"
    assert studio.put(place.format(0), b"one ").status_code == 200
    cut = studio.folder / "texts" / "cut"
    assert not (cut / "a.txt").exists()
    assert "holds no files" in look(studio, "text", cut).text
    assert studio.put(place.format(9), b"x").status_code == 400  # a piece is missing
    for _ in range(2):
        assert studio.put(place.format(4), b"text").status_code == 200
    assert not (cut / "a.txt").exists()
    assert studio.put(place.format(8), b".").status_code == 200
    assert (cut / "a.txt").read_bytes() == b"one text."
    assert [path.name for path in cut.iterdir()] == ["a.txt"]
    assert studio.put(place.format(0), b"anew").status_code == 200
    assert (cut / "a.txt").read_bytes() == b"one text."  # until all of the new one is here


@pytest.mark.parametrize("name", [NAMES[1], *slow(*NAMES[:1], *NAMES[2:])])
def test_folders_of_any_name_are_shown_and_gone_on_with(studio, monkeypatch, name):
    if not (studio.folder / name).exists():
        write_run(studio.folder / name, rows=20, finished=False, text="x")
    begun = []
    monkeypatch.setattr(
        "hornbook.serve.studio.jobs.start_apart", lambda command, *rest: begun.append(command) or 1
    )
    for path in ("/run", "/run/now", "/run/more", "/run/figures", "/together"):
        found = studio.get(path, params={"id": name})
        assert found.status_code == 200, (path, found.text)
    assert studio.post("/run/resume", {"id": name}).status_code == 303
    assert begun[0][-1] == str(studio.folder / name)
    assert studio.get("/run", params={"id": name}).status_code == 200


def test_a_full_disk_begins_nothing(studio, monkeypatch):
    ended = []
    monkeypatch.setattr("hornbook.serve.studio.jobs.start_apart", lambda command, *rest: 10**9)
    monkeypatch.setattr(
        "hornbook.serve.studio.jobs.end_process", lambda pid, **how: ended.append(pid)
    )

    def full(path, value):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("hornbook.serve.studio.jobs.write_json", full)
    found = studio.post("/models/doctor", {})
    assert found.status_code == 400 and "full" in found.text and ended == [10**9]
    assert studio.get("/models").status_code == 200
