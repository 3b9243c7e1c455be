"""One clock for a command: what is left shrinks, shares of it are clocks of their own."""

import math
import time

import pytest

from hornbook.core.clock import Clock
from tests.clock import set_clock


@pytest.fixture
def now(monkeypatch):
    """Sets the time; a wrong date changes nothing."""
    times = {"now": 1000.0}
    set_clock(monkeypatch, lambda: times["now"])
    set_clock(monkeypatch, lambda: pytest.fail("the date was asked for"), "time")
    return lambda seconds: times.update(now=1000.0 + seconds)


def test_what_is_left(now):
    clock = Clock.start(2)
    assert (clock.given_s, clock.used_s(), clock.left_s()) == (120, 0, 120)
    now(90)
    assert (clock.used_s(), clock.left_s(), clock.left_s(0.5)) == (90, 30, -30)


def test_what_was_used_before_counts(now):
    now(10)
    assert Clock.start(1, began=1000.0).left_s() == 50


def test_a_part(now):
    clock = Clock.start(2)
    now(40)
    part = clock.part(0.5, reserve_s=20)
    assert part.left_s() == pytest.approx(30)
    now(50)
    assert part.left_s() == pytest.approx(20)
    now(500)
    assert clock.part(0.5).given_s == 0


def test_no_limit():
    clock = Clock.start(None)
    assert not clock.limited
    assert clock.left_s() == clock.left_s(0.1) == clock.part(0.1).left_s() == math.inf
    time.sleep(0.001)
    assert clock.used_s() > 0
