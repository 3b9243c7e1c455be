"""Looks at what is brought, and logs that grow: much of either holds nobody up."""

import json
import threading

import pytest

from hornbook.core.errors import UsageError
from hornbook.serve.studio import looks
from hornbook.serve.studio.growing import GrowingLog
from hornbook.serve.studio.looks import BegunLooks, Look
from tests.serve.studio.conftest import open_studio


def test_a_long_look_tells_how_it_goes_and_then_what_it_found(tmp_path, monkeypatch):
    go_on, begun = threading.Event(), threading.Event()

    def slowly(sources, tell):
        tell(1234)
        begun.set()
        go_on.wait(30)
        raise UsageError("It holds <b>nothing</b>.")

    monkeypatch.setattr("hornbook.serve.studio.new_run.understand", slowly)
    monkeypatch.setattr("hornbook.serve.studio.look_pages._AT_ONCE_S", 0.1)
    part = {"HX-Request": "true"}
    with open_studio(tmp_path) as studio:
        found = studio.post("/new/look", {"paths": str(tmp_path)}, headers=part)
        assert begun.is_set() and "1,234 files so far" in found.text
        place = found.text.split('data-hx-get="')[1].split('"')[0]
        assert "1,234 files" in studio.get(place, headers=part).text
        go_on.set()
        for _ in range(100):
            text = studio.get(place, headers=part).text
            if "files so far" not in text:
                break
        assert "It holds &lt;b&gt;nothing" in text
        whole = studio.post("/new/look", {"paths": str(tmp_path)})  # no script asks
        assert whole.status_code == 400 and "<html" in whole.text and "It holds" in whole.text
        assert studio.get("/look?id=nothing").status_code == 400


def test_a_look_that_nobody_waits_for_ends(monkeypatch):
    monkeypatch.setattr(looks, "_ALONE_S", -1.0)
    look = Look("x", {})
    look.run(lambda tell: tell(1))
    assert look.ended and "look again" in str(look.error)


def test_looks_are_bounded(monkeypatch):
    monkeypatch.setattr(looks, "_MOST", 2)
    every, go_on = BegunLooks(), threading.Event()
    ended = [every.begin(lambda tell: 1, "x") for _ in range(5)]
    for each in ended:
        for _ in range(1000):
            if each.ended:
                break
            go_on.wait(0.001)
    for _ in range(2):
        every.begin(lambda tell: go_on.wait(30), "x")
    with pytest.raises(UsageError, match="Much is being looked at"):
        every.begin(lambda tell: 1, "x")
    assert len(every._all) <= 2 * 2 + 1
    go_on.set()


def row(step, kind="train", **more):
    return json.dumps({"step": step, "kind": kind, "loss": 1.0 / step, **more}) + "\n"


def test_a_growing_log_reads_what_came(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text(row(1) + row(1, "validation") + row(2)[:9])
    log = GrowingLog(path)
    assert log.look().last["kind"] == "validation" and len(log.landmarks) == 1
    assert list(log.train["step"]) == []
    assert list(log.look(with_steps=True).train["step"]) == [1.0]
    with path.open("a") as file:
        file.write(row(2)[9:] + "no row\n" + row(3))
    assert list(log.look(with_steps=True).train["step"]) == [1.0, 2.0, 3.0]
    assert log.last["step"] == 3 and len(log.landmarks) == 1
    path.write_text(row(1) + row(1, "validation") + row(2) + row(9, note="x" * 400))  # went back
    assert list(log.look(with_steps=True).train["step"]) == [1.0, 2.0, 9.0]
    path.write_text("")
    assert log.look(with_steps=True).last is None and not log.landmarks
    path.unlink()
    with pytest.raises(OSError):
        log.look()


@pytest.mark.parametrize("stretch", [1, 7, 64, 10**6])
def test_a_log_is_read_the_same_in_any_stretches(tmp_path, monkeypatch, stretch):
    monkeypatch.setattr("hornbook.serve.studio.growing._STRETCH", stretch)
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(row(i) + row(i, "validation") for i in range(1, 20)))
    log = GrowingLog(path).look(with_steps=True)
    assert list(log.train["step"]) == list(range(1, 20))
    assert [one["step"] for one in log.landmarks] == list(range(1, 20))
