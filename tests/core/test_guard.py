"""Guarded work: whatever a step does to its process, the other steps' items come, each once."""

import ctypes
import os
import sys
import time

import pytest

from hornbook.core import guard, guarded, limits
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.guard import GaveUp
from hornbook.core.guarded import step
from tests.tiny import slow

WORK = f"{__name__}:steps"
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits that Linux keeps")


def steps(harms):
    """An item for each harm, which is done in a step of its own."""
    for number, harm in enumerate(harms):
        fault = step(10)
        if fault is None:
            HARMS[harm]()
        yield [number, fault], f"ä {number}"


def hasty(harms):
    """As `steps`, which may take less than a second each."""
    limits.SECONDS = 0.1
    guarded._steps._limits._renew = 0.0
    yield from steps(harms)


def spin():
    while True:
        pass


def spin_in_c():
    sum(range(10**14))


def eat():
    held = []
    while True:
        held.append(bytes(2**30))


def recurse():
    recurse()


def refuse():
    raise UsageError("no such thing")


HARMS = {
    "none": lambda: None,
    "spin": spin,
    "spin in C": spin_in_c,
    "eat": eat,
    "sleep": lambda: time.sleep(1000),
    "abort": os.abort,
    "leave": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "recurse": recurse,
    "odd": lambda: {}["a key"],
    "print": lambda: os.write(1, b"x" * 100),
    "refuse": refuse,
}


def run(harms, **options):
    return list(guard.guarded(WORK, [harms], 10, **options))


def test_items_come_as_they_are():
    assert run(["none"] * 3000) == [([i, None], f"ä {i}") for i in range(3000)]


@linux
@pytest.mark.parametrize(
    ("harm", "reason", "detail"),
    [
        ("abort", "the reader crashed", "SIGABRT"),
        ("segfault", "the reader crashed", "SIGSEGV"),
        ("leave", "the reader crashed", "exit code 3"),
        ("eat", "too much memory", "1,536 MiB for 10 bytes"),
        ("recurse", "nested too deeply", ""),
        ("odd", "the reader failed", "KeyError: 'a key'"),
    ],
)
def test_a_step_that_harms_its_process_costs_itself(harm, reason, detail):
    found = run(["none", harm, "none", harm, "none"])
    assert [values[0] for values, _ in found] == list(range(5))
    faults = [values[1] for values, _ in found]
    assert [fault and fault[0] for fault in faults] == [None, reason, None, reason, None]
    assert detail in faults[1][1]


@linux
@pytest.mark.parametrize("harm", ["spin in C", *slow("spin")])
def test_a_step_without_end_is_ended(harm):
    found = list(guard.guarded(f"{__name__}:hasty", [["none", harm, "none"]], 10))
    assert [values[1] and values[1][0] for values, _ in found] == [None, "took too long", None]
    guard._close_all()  # it would go on being hasty


def test_a_step_that_waits_for_nothing_is_ended(monkeypatch):
    monkeypatch.setattr(guard, "_PATIENCE", 0.2)
    found = run(["none", "sleep", "none"])
    assert [values[1] and values[1][0] for values, _ in found] == [None, "took too long", None]


def test_what_libraries_print_is_no_answer():
    assert len(run(["print", "none"])) == 2


def test_an_error_for_people_is_raised_here():
    with pytest.raises(UsageError, match="no such thing"):
        run(["none", "refuse"])
    assert len(run(["none"])) == 1


def test_too_many_harms_end_the_work(monkeypatch):
    monkeypatch.setattr(guard, "MOST_FAULTS", 2)
    items = guard.guarded(WORK, [["none", "odd", "odd", "none", "odd", "none"]], 10)
    found = []
    with pytest.raises(GaveUp) as caught:
        found += items
    assert (caught.value.step, caught.value.given) == (5, 4)


def test_a_process_is_used_again_and_left_in_the_middle():
    guard._close_all()
    run(["none"])
    [first] = guard._idle
    run(["none"])
    assert guard._idle == [first]
    items = guard.guarded(WORK, [["none"] * 100_000], 10)
    next(items)
    items.close()
    assert guard._idle == [] and not first.is_alive
    assert len(run(["none"])) == 1


def test_a_process_that_cannot_start_is_an_error(monkeypatch):
    guard._close_all()
    command = [sys.executable, "-c", "raise SystemExit('no Python here')"]
    monkeypatch.setattr(guard, "python", lambda *_: command)
    with pytest.raises(HornbookError, match="no Python here"):
        run(["none"])


def test_steps_cost_nothing_without_a_guard():
    assert guarded.step(10) is None
